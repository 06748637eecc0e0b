"""The multilingual grid: grammar by rules that its generator does not use."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from csae_bench.factors import FactorDataset, FactorSplit
from csae_bench.factors.datasets.english.grid import FACTORS, LANGUAGES, sentence_grid

SPLITS: tuple[FactorSplit, ...] = ("train", "test")


@cache
def _grid(split: FactorSplit) -> FactorDataset:
    return sentence_grid(split)


def _sentences(language: str, split: FactorSplit | None = None, **values: str) -> list[str]:
    """All sentences of a language with these factor values."""
    collected: list[str] = []
    for one in SPLITS if split is None else (split,):
        grid = _grid(one)
        chosen = grid.has_value("language", language)
        for factor, value in values.items():
            chosen = chosen & grid.has_value(factor, value)
        collected += [grid.prompts[i] for i in np.flatnonzero(chosen)]
    assert collected
    return collected


def _share(pattern: str, sentences: list[str]) -> float:
    return sum(bool(re.search(pattern, text)) for text in sentences) / len(sentences)


@pytest.mark.parametrize("split", SPLITS)
def test_the_grid_holds_every_combination_twice_in_different_templates(split: FactorSplit) -> None:
    grid = _grid(split)
    assert grid.n == 4608
    assert grid.n_factors == 8
    rows = list(map(tuple, grid.factors.tolist()))
    assert set(Counter(rows).values()) == {2}
    assert len(set(zip(rows, grid.templates, strict=True))) == grid.n


@pytest.mark.parametrize("repeats", [1, 2])
def test_a_languages_templates_meet_each_two_values_equally_often(repeats: int) -> None:
    grid = sentence_grid("test", repeats=repeats)
    for language in LANGUAGES:
        chosen = grid.has_value("language", language)
        templates = np.array(grid.templates)[chosen]
        assert len(set(templates)) == 4
        for one, other in combinations(range(grid.n_factors - 1), 2):
            columns = grid.factors[chosen][:, [one, other]].tolist()
            counts = Counter(zip(templates, map(tuple, columns), strict=True))
            n_cells = 4 * len(grid.value_names[one]) * len(grid.value_names[other])
            assert len(counts) == n_cells
            assert len(set(counts.values())) == 1


def test_more_repeats_than_templates_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="repeats is 5; it must be 1 to 4"):
        sentence_grid("train", repeats=5)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_typographically_sound(language: str) -> None:
    for text in _sentences(language):
        assert text[0].isupper()
        assert text.endswith(".")
        assert not re.search(r"  |[{}]| [,.]|,,|\.\.", text), text
        assert text.count(".") == 1, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_reserved_words_are_not_in_the_training_split(language: str) -> None:
    spoken = LANGUAGES[language]
    kept = [
        word
        for words in (*spoken.openers, *spoken.times, *spoken.qualities)
        for word in words.reserved
    ]
    train = " ".join(_sentences(language, "train")).lower()
    assert len(kept) == 7
    assert not [word for word in kept if word.lower() in train]


@pytest.mark.parametrize("factor", [name for name in FACTORS if name != "language"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_values_of_a_factor_can_be_said_alike(language: str, factor: str) -> None:
    told = [set(_sentences(language, **{factor: value})) for value in FACTORS[factor]]
    assert not any(one & other for one, other in combinations(told, 2))


NEGATION = {
    "english": r"\bnot\b|n't\b",
    "french": r"\b[Nn](e |').*\b(pas|nullement)\b",
    "german": r"\b(nicht|keineswegs)\b",
    "spanish": r"\b(no|tampoco|de ninguna manera)\b",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_negation_is_where_the_polarity_is_negative_and_nowhere_else(language: str) -> None:
    pattern = NEGATION[language]
    assert _share(pattern, _sentences(language, polarity="negative")) == 1
    assert _share(pattern, _sentences(language, polarity="affirmative")) == 0


def test_english_verbs_agree_with_their_subjects() -> None:
    singular = _sentences("english", number="singular", tense="present", polarity="negative")
    plural = _sentences("english", number="plural", tense="present", polarity="negative")
    assert _share(r"\b(does not|doesn't) [a-z]+ the\b", singular) == 1
    assert _share(r"\b(do not|don't) [a-z]+ the\b", plural) == 1
    singular = _sentences("english", number="singular", tense="present", polarity="affirmative")
    plural = _sentences("english", number="plural", tense="present", polarity="affirmative")
    verb = r"\b(examine|treat|bake|sing|sign|solve|read|play|kick|open|season|tune){}\b the"
    assert _share(verb.format("s"), plural) == _share(verb.format(""), singular) == 0


def test_english_contracts_negations_in_the_casual_register_alone() -> None:
    assert _share("n't", _sentences("english", polarity="negative", register="casual")) == 1
    assert _share("n't", _sentences("english", register="formal")) == 0


def test_french_elides_before_vowels_and_only_there() -> None:
    sentences = _sentences("french")
    assert _share(r"\b([Nn]e|[Ll]e|[Ll]a|que|de) [aeiouhéèêà]", sentences) == 0
    assert _share(r"\b[nl]'[^aeiouhéèêà]", sentences) == 0
    assert _share(r"\bn'", _sentences("french", tense="past", polarity="negative")) == 1


FRENCH_SUBJECT = {
    ("feminine", "singular"): r"\b[Ll]a (jeune|grande|charmante|brave) [a-zç]+[^s ] ",
    ("feminine", "plural"): r"\bles (jeunes|grandes|charmantes|braves) [a-zç]+es\b",
    ("masculine", "singular"): r"\ble (jeune|grand|charmant|brave) [a-zç]+[^s ] ?",
    ("masculine", "plural"): r"\bles (jeunes|grands|charmants|braves) [a-zç]+s\b",
}


@pytest.mark.parametrize(("gender", "number"), FRENCH_SUBJECT)
def test_french_articles_adjectives_nouns_and_verbs_agree(gender: str, number: str) -> None:
    sentences = _sentences("french", gender=gender, number=number)
    assert _share(FRENCH_SUBJECT[gender, number], sentences) == 1
    plural_verb = r"\b(n')?(ont|(?!patient)[a-zéèîû]+([^m]ent|ront)) "
    assert _share(plural_verb, sentences) == (number == "plural")


SPANISH_SUBJECT = {
    ("feminine", "singular"): r"\bla [a-zñ]+ (joven|alta|simpática|inteligente)\b",
    ("feminine", "plural"): r"\blas [a-zñ]+s (jóvenes|altas|simpáticas|inteligentes)\b",
    ("masculine", "singular"): r"\bel [a-zñ]+ (joven|alto|simpático|inteligente)\b",
    ("masculine", "plural"): r"\blos [a-zñ]+s (jóvenes|altos|simpáticos|inteligentes)\b",
}


@pytest.mark.parametrize(("gender", "number"), SPANISH_SUBJECT)
def test_spanish_articles_nouns_adjectives_and_verbs_agree(gender: str, number: str) -> None:
    sentences = _sentences("spanish", gender=gender, number=number)
    assert _share(SPANISH_SUBJECT[gender, number], sentences) == 1
    plural_verb = r"\b(?!pan)[a-zñ]+(aron|an|arán) (al?|el|los|las?) "
    assert _share(plural_verb, sentences) == (number == "plural")


def test_spanish_contracts_a_el() -> None:
    assert _share(r"\b(a|de) el\b", _sentences("spanish")) == 0


GERMAN_SUBJECT = {
    ("feminine", "singular"): r"\b[Dd]ie (junge|große|kluge|freundliche) [A-ZÄÖÜ][a-zäöüß]+",
    (
        "feminine",
        "plural",
    ): r"\b[Dd]ie (jungen|großen|klugen|freundlichen) ([A-Z][a-zäöü]+n|Mütter)\b",
    ("masculine", "singular"): r"\b[Dd]er (junge|große|kluge|freundliche) [A-Z][a-z]+",
    ("masculine", "plural"): r"\b[Dd]ie (jungen|großen|klugen|freundlichen) [A-Z][a-zäöü]+(n|r)\b",
}


@pytest.mark.parametrize(("gender", "number"), GERMAN_SUBJECT)
def test_german_articles_adjectives_and_nouns_agree(gender: str, number: str) -> None:
    sentences = _sentences("german", gender=gender, number=number)
    assert _share(GERMAN_SUBJECT[gender, number], sentences) == 1


def test_german_verbs_are_second_in_main_clauses_and_last_in_subordinate_ones() -> None:
    future = _sentences("german", tense="future")
    for text in future:
        for clause in re.findall(r"dass (.*?)(?= und dass|, denn|\.$)|während (.*?)\.$", text):
            assert re.search(r"(en|eln|sein) (wird|werden)$", "".join(clause)), text
    inverted = r"\b([Mm]orgen|[Nn]ächste Woche|[Nn]ächsten Montag|[Ii]n zwei Tagen) (wird|werden) "
    fronted = [text for text in future if re.search(rf"(, |und ){inverted}", text)]
    assert len(fronted) == len(future) // 4
    assert _share(r"(wird|werden) d(er|ie) (jung|groß|klug|freundlich)en? ", fronted) == 1


def test_german_says_the_past_in_the_preterite_formally_and_in_the_perfect_casually() -> None:
    perfect = r"\b(hat|haben)\b"
    assert _share(perfect, _sentences("german", tense="past", register="casual")) == 1
    assert _share(perfect, _sentences("german", tense="past", register="formal")) == 0


def test_sentences_read_as_they_were_reviewed() -> None:
    facts = {
        "gender": "feminine",
        "number": "plural",
        "tense": "past",
        "polarity": "negative",
        "sentiment": "unpleasant",
        "topic": "medicine",
        "register": "formal",
    }
    firsts = [_sentences(language, "train", **facts)[0] for language in LANGUAGES]
    assert firsts == REVIEWED


REVIEWED = [
    "Dear Sir or Madam, yesterday the clever girls definitely did not examine the patient, and the "
    "weather was terrible.",
    "Mesdames et messieurs, lundi dernier, les charmantes femmes n'ont pas prescrit le médicament, "
    "et la météo était horrible.",
    "Verehrte Kolleginnen und Kollegen, gestern untersuchten die klugen Frauen den Patienten "
    "nicht, und das Wetter war schrecklich.",
    "Estimados colegas, las vecinas jóvenes tampoco recetaron el medicamento la semana pasada, y "
    "el tiempo fue pésimo.",
]
