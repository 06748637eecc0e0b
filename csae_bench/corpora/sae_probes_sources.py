"""Which datasets of sae-probes hold English prose, which are kept for probing, and which neither.

To add a dataset to the corpus: a row of PROSE. Every dataset that the package ships is named here
once, with what it is or why it is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Source(NamedTuple):
    """A dataset whose texts are documents of the corpus."""

    name: str
    target: str | None = None
    """Class whose rows are prose; none: all of them."""
    has_escapes: bool = False
    """Whether line ends are written as a backslash and an n."""


PROSE: Mapping[str, tuple[Source, ...]] = {
    "news": (
        Source("97_news_class"),
        Source("139_news_class_Politics"),
        Source("140_news_class_Technology"),
        Source("141_news_class_Entertainment"),
        Source("100_news_fake"),
        # the other class of these three is program code
        Source("161_agnews_0", target="1"),
        Source("162_agnews_1", target="1"),
        Source("163_agnews_2", target="1"),
    ),
    "reviews": (
        Source("111_yelp_data", has_escapes=True),
        Source("112_amzn_rev", has_escapes=True),
        Source("157_amazon_5star"),
    ),
    "medicine": (
        Source("101_disease_class"),
        Source("145_disease_class_digestive system diseases"),
        Source("146_disease_class_cardiovascular diseases"),
        Source("147_disease_class_nervous system diseases"),
        Source("98_cancer_cat"),
        Source("142_cancer_cat_Thyroid_Cancer"),
        Source("143_cancer_cat_Lung_Cancer"),
        Source("144_cancer_cat_Colon_Cancer"),
    ),
    "accounts of what somebody did": (
        Source("48_cm_correct"),
        Source("49_cm_isshort"),
    ),
    "stories with a question": (Source("45_context_ans"),),
    "web pages and encyclopedias": (
        Source("56_wikidatasex_or_gender"),
        Source("57_wikidatais_alive"),
        Source("58_wikidatapolitical_party"),
        Source("59_wikidata_occupation_isjournalist"),
        Source("60_wikidata_occupation_isathlete"),
        Source("61_wikidata_occupation_isactor"),
        Source("62_wikidata_occupation_ispolitician"),
        Source("63_wikidata_occupation_issinger"),
        Source("64_wikidata_occupation_isresearcher"),
    ),
}
"""Genre -> its datasets. Several hold the same documents under other labels."""

PROBING_DATASETS: tuple[str, ...] = (
    "5_hist_fig_ismale",
    "24_headline_isiran",
    "41_truthqa_tf",
    "105_click_bait",
    "117_us_state_FL",
    "118_us_state_CA",
    "119_us_state_TX",
    "120_us_timezone_Chicago",
    "123_world_country_United_Kingdom",
    "124_world_country_United_States",
    "125_world_country_Italy",
    "127_art_type_song",
    "130_temp_cat_Frequency",
    "131_temp_cat_Typical Time",
    "132_temp_cat_Event Ordering",
    "133_context_type_Causality",
    "134_context_type_Belief_states",
    "154_athlete_sport_football",
    "155_athlete_sport_basketball",
    "156_athlete_sport_baseball",
)
"""Twenty datasets with two classes of whose texts none is in the corpus: people, places, works,
headlines, questions and truth. SmolLM2's tokenizer makes 294,500 tokens of them together."""

PARAPHRASES: tuple[str, ...] = ("89_glue_mrpc", "91_glue_qqp")
"""Datasets of two texts in a row, ` | ` between them; those of class 1 say the same."""

LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "names of people, places and works": (
        *("2_hist_fig_birthyear", "3_hist_fig_deathyear", "4_hist_fig_age"),
        *("6_hist_fig_isamerican", "7_hist_fig_ispolitician"),
        *("8_nyc_lat", "9_nyc_long", "10_nyc_borough", "114_nyc_borough_Manhattan"),
        *("115_nyc_borough_Brooklyn", "116_nyc_borough_Bronx"),
        *("11_us_lat", "12_us_long", "13_us_state", "14_us_timezone", "15_us_population"),
        *("16_us_density", "121_us_timezone_New_York", "122_us_timezone_Los_Angeles"),
        *("17_world_country", "18_world_latitude", "19_world_longitude", "20_world_pageviews"),
        *("27_art_type", "28_art_year", "29_art_pageviews", "30_book_length"),
        *("126_art_type_book", "128_art_type_movie", "108_athlete_sport", "109_ball_ws"),
    ),
    "program code": ("158_code_C", "159_code_Python", "160_code_HTML"),
    "sums": (
        *("37_arith_mc", "38_arith_difficulty", "39_arith_infix", "40_arith_rpn"),
        "129_arith_mc_A",
    ),
    "headlines, of a line": (
        *("21_headline_istrump", "22_headline_isobama", "23_headline_ischina"),
        *("25_headline_year", "26_headline_isfrontpage"),
    ),
    "tweets and messages, with links and slurs": (
        *("102_twt_emotion", "148_twt_emotion_worry", "149_twt_emotion_happiness"),
        *("150_twt_emotion_sadness", "106_hate_hate", "107_hate_offensive", "95_toxic_is"),
        "96_spam_is",
    ),
    "single questions, answers and sentences made for a test": (
        *("36_sciq_tf", "42_temp_sense", "43_temp_cat", "44_phys_tf", "46_context_type"),
        *("47_reasoning_tf", "50_deon_isvalid", "51_just_is", "52_virtue_is", "54_cs_tf"),
        *("55_open_qa", "86_social_iqa", "87_glue_cola", "135_context_type_Event_duration"),
    ),
    "two sentences joined by a bar": (
        *("88_glue_mnli", "136_glue_mnli_entailment", "137_glue_mnli_neutral"),
        *("138_glue_mnli_contradiction", "90_glue_qnli", "93_glue_stsb"),
    ),
    "fragments of film reviews, split into tokens": ("92_glue_sst2", "113_movie_sent"),
    "fragments that begin anywhere and end in one of a few words": (
        *("65_high-school", "66_living-room", "67_social-security", "68_credit-card"),
        *("69_blood-pressure", "70_prime-factors", "71_social-media", "72_gene-expression"),
        *("73_control-group", "74_magnetic-field", "75_cell-lines", "76_trial-court"),
        *("77_second-derivative", "78_north-america", "79_human-rights", "80_side-effects"),
        *("81_public-health", "82_federal-government", "83_third-party", "84_clinical-trials"),
        "85_mental-health",
    ),
    "essays with letters exchanged and punctuation removed, half of them written by a model": (
        "94_ai_gen",
    ),
    "texts of which half are written by a model": ("110_aimade_humangpt3",),
    "posts whose markup is escaped": ("99_sci_cat",),
    "tickets from which all small words are removed": (
        *("103_it_tick", "151_it_tick_HR Support", "152_it_tick_Hardware"),
        "153_it_tick_Administrative rights",
    ),
}
"""Reason -> the datasets that are left out for it."""


def sources() -> tuple[Source, ...]:
    """List the datasets of the corpus, in order."""
    return tuple(source for group in PROSE.values() for source in group)
