"""Templates of factor sentences, and the follow-up clauses that each factor determines.

A template says a whole situation once, each factor in it by words from `words`. A
follow-up is a stem and, for each value of one factor, the word that must come next.
"""

from typing import NamedTuple

from csae_bench.tinyworld.words import CATENATIVES, Verb

N_TENSES = 3
PAST, PRESENT, FUTURE = range(N_TENSES)

TRAIN_TEMPLATES: dict[str, str] = {
    "plain": "{open} {subj} {vp} {obj} {mood} {time}, together with {comp}.",
    "time_first": "{open} {time} {subj} {vp} {obj} beside {comp}, {mood}.",
    "mood_first": "{open} {mood}, {subj} {vp} {obj} {time} for {comp} {spot}.",
    "cleft": "{open} it {be} {subj} who {vp} {obj} {time}, {mood}, while {comp} {wait}.",
    "passive": "{open} {obj} {passive} by {subj} {time} {mood}, and {comp} {help}.",
    "report": "{open} {comp} {hear} how {subj} {vp} {obj} {spot} {time} {mood}.",
}
RESERVED_TEMPLATES: dict[str, str] = {
    "aside": "{open} {spot} {subj}, {mood}, {vp} {obj} {time}, as {comp} {say}.",
    "assisted": "{open} {time}, {mood} and {spot}, {subj} {vp} {obj} with the help of {comp}.",
    "what_cleft": "{open} what {subj} {vp} {time} {be_n} {obj}, {mood}, and {comp} {know}.",
    "passive_late": "{open} {obj} {passive} {time} by {subj}, {mood}, before {comp} {arrive}.",
    "relative": "{open} {comp} {see} {obj} that {subj} {vp} {time} {mood}.",
    "told": "{open} {mood} {comp} {tell} us that {subj} {vp} {obj} {spot} {time}.",
}
"""Templates kept for evaluation: only documents and grids with `reserved=True` use them."""

TEMPLATES: dict[str, str] = TRAIN_TEMPLATES | RESERVED_TEMPLATES
PASSIVE_TEMPLATES: frozenset[str] = frozenset({"passive", "passive_late"})

CONJUGATIONS: dict[str, tuple[str, str, str]] = {
    "be": ("was", "is", "will be"),
    "wait": ("waited", "waits", "will wait"),
    "help": ("helped", "helps", "will help"),
    "hear": ("heard", "hears", "will hear"),
    "say": ("said", "says", "will say"),
    "know": ("knew", "knows", "will know"),
    "arrive": ("arrived", "arrives", "will arrive"),
    "see": ("saw", "sees", "will see"),
    "tell": ("told", "tells", "will tell"),
    "rest": ("rested", "rests", "will rest"),
    "sleep": ("slept", "sleeps", "will sleep"),
    "ask": ("asked", "ask", "will ask"),
    "look": ("looked", "look", "will look"),
    "end": ("ended", "ends", "will end"),
    "belong": ("belonged", "belongs", "will belong"),
    "happen": ("happened", "happens", "will happen"),
    "talk": ("talked", "talks", "will talk"),
    "seem": ("seemed", "seems", "will seem"),
    "do": ("did", "does", "will"),
    "Do": ("Did", "Does", "Will"),
}
"""Past, present, future of the slots in templates and follow-ups."""

CONJUGATED: tuple[dict[str, str], ...] = tuple(
    {lemma: forms[tense] for lemma, forms in CONJUGATIONS.items()} for tense in range(N_TENSES)
)

_CATENATIVE_FORMS: dict[str, tuple[str, str]] = {
    "manage": ("managed", "manages"),
    "choose": ("chose", "chooses"),
    "hasten": ("hastened", "hastens"),
    "agree": ("agreed", "agrees"),
    "fail": ("failed", "fails"),
    "refuse": ("refused", "refuses"),
    "neglect": ("neglected", "neglects"),
    "decline": ("declined", "declines"),
}
_CATENATIVE_LEMMAS = frozenset(w for voices in CATENATIVES for w in voices.every)


class FollowUpForm(NamedTuple):
    """One way to ask the text for a factor's value.

    `stem` ends just before the later word; `words[v]` is that word for value v;
    `rest` ends the sentence. Slots are conjugated in the sentence's tense.
    """

    stem: str
    words: tuple[str, ...]
    rest: str


_DOMAIN_WORDS = ("science", "sport", "art")
FOLLOW_UPS: dict[str, tuple[FollowUpForm, ...]] = {
    "gender": (
        FollowUpForm("Afterwards,", ("she", "he"), " {rest}."),
        FollowUpForm("Later on,", ("she", "he"), " {sleep}."),
    ),
    "number": (
        FollowUpForm("Visitors {ask} for", ("it", "them"), " again."),
        FollowUpForm("People {look} at", ("it", "them"), " for hours."),
    ),
    "tense": (
        FollowUpForm("The whole thing", ("was", "is", "will"), "{tail} well planned."),
        FollowUpForm("The timing", ("was", "is", "will"), "{tail} right."),
    ),
    "polarity": (
        FollowUpForm("And", ("so", "neither"), " {do} everyone else."),
        FollowUpForm("{Do} it happen?", ("Yes", "No"), "."),
    ),
    "sentiment": (
        FollowUpForm("It {be} a", ("good", "bad"), " day."),
        FollowUpForm("The weather {seem}", ("bright", "dark"), "."),
    ),
    "register": (
        FollowUpForm("The note {end} with", ("regards", "hugs"), "."),
        FollowUpForm("It {be} signed", ("sincerely", "cheers"), "."),
    ),
    "domain": (
        FollowUpForm("It {belong} to the world of", _DOMAIN_WORDS, "."),
        FollowUpForm("Such {be} life in", _DOMAIN_WORDS, "."),
    ),
    "topic": (
        FollowUpForm(
            "All of this {happen} at the",
            (
                "observatory",
                "hospital",
                "quarry",
                "stadium",
                "court",
                "harbour",
                "concert",
                "gallery",
                "playhouse",
            ),
            ".",
        ),
        FollowUpForm(
            "Everyone {talk} about",
            (
                "space",
                "health",
                "rocks",
                "football",
                "tennis",
                "boats",
                "songs",
                "pictures",
                "plays",
            ),
            ".",
        ),
    ),
}
"""Each factor's follow-ups. No template has their later words, but for tenses and an idle `it`."""


def be_form(tense: int, plural: bool) -> str:
    """was, were, is, are, will be."""
    return (("was", "were"), ("is", "are"), ("will be", "will be"))[tense][plural]


def active_phrase(verb: Verb, tense: int, manner: str) -> str:
    """Return the verb with its polarity: never checked, did not check, will fail to check."""
    if manner in _CATENATIVE_LEMMAS:
        head = f"will {manner}" if tense == FUTURE else _CATENATIVE_FORMS[manner][tense]
        return f"{head} to {verb.base}"
    if tense == FUTURE:
        return f"will {manner} {verb.base}"
    if manner.startswith("not"):
        return f"{'did' if tense == PAST else 'does'} {manner} {verb.base}"
    return f"{manner} {verb.past if tense == PAST else verb.third}"


def passive_phrase(verb: Verb, tense: int, plural: bool, adverb: str) -> str:
    """were never checked, will really be checked."""
    if tense == FUTURE:
        return f"will {adverb} be {verb.participle}"
    return f"{be_form(tense, plural)} {adverb} {verb.participle}"
