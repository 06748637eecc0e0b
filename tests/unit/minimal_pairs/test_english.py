"""Minimal pairs and translations, whose values are read from their words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csae_bench.factors import open_factors
from csae_bench.factors.datasets.english.grid import FACTORS, LANGUAGES
from csae_bench.factors.datasets.english.language import Words
from csae_bench.minimal_pairs import MinimalPair
from csae_bench.minimal_pairs.english import EnglishPairs
from csae_bench.tinyworld.words import listed

N_GROUPS = 2000

PAIRS = st.builds(
    lambda seed, group: EnglishPairs(seed).pairs(group)[0],
    st.integers(0, 2**32),
    st.integers(0, 10**9),
)

DENIALS = {
    "english": r"\bnot\b|n't\b",
    "french": r"\bne\b|\bn'",
    "german": r"\b(?:nicht|keineswegs)\b",
    "spanish": r"\b(?:no|tampoco)\b",
}
"""What denies; markers alone do not in English."""
GRAMMAR = {
    *listed("did didn does doesn do don t not will won was is be ne n a ont était est sera"),
    *listed("war ist wird werden hat haben sein fue es será"),
}
"""Words that go with verbs, whatever the factors."""
ARTICLES = {"la", "le", "les", "der", "die", "el", "los", "las"}


class Reading(NamedTuple):
    """What a text says."""

    values: dict[str, int]
    rest: str
    """The text after its words of address."""


def _pairs(seed: int = 0, n: int = N_GROUPS, factors: Iterable[str] = FACTORS) -> list[MinimalPair]:
    texts = EnglishPairs(seed, tuple(factors))
    return [pair for group in range(n) for pair in texts.pairs(group)]


def _forms(word: Any) -> list[str]:
    """All forms of a word but a verb's object."""
    if isinstance(word, str):
        return [word]
    fields = word._asdict() if hasattr(word, "_asdict") else {}
    return [form for name, part in fields.items() if name != "object" for form in _forms(part)]


def _says(text: str, phrases: Iterable[str]) -> bool:
    phrases = [re.escape(phrase) for phrase in phrases if phrase]
    return bool(re.search(rf"(?<!\w)(?:{'|'.join(phrases)})(?!\w)", text, re.I))


def _read(text: str) -> Reading:
    """Read the values from the text's words."""
    (opening,) = (
        (name, register, opener)
        for name, language in LANGUAGES.items()
        for register, openers in enumerate(language.openers)
        for opener in openers.train
        if text.lower().startswith(f"{opener.lower()} ")
    )
    name, register, opener = opening
    rest = text[len(opener) :]
    language = LANGUAGES[name]
    nouns = [[noun for noun in each.train if _says(rest, noun)] for each in language.nouns]
    (gender,) = (gender for gender, said in enumerate(nouns) if said)
    (noun,) = nouns[gender]
    values = {
        "gender": gender,
        "number": int(_says(rest, [noun.plural])),
        "tense": _only(rest, [each.train for each in language.times]),
        "polarity": int(bool(re.search(DENIALS[name], rest))),
        "sentiment": _only(rest, [each.train for each in language.qualities]),
        "topic": _only(rest, [[verb.object for verb in each.train] for each in language.verbs]),
        "register": register,
        "language": list(LANGUAGES).index(name),
    }
    assert _says(rest, [noun[values["number"]]])
    return Reading(values, rest)


def _only(text: str, voices: list[Any]) -> int:
    (value,) = (value for value, each in enumerate(voices) if _says(text, each))
    return value


def _split(texts: Iterable[str]) -> set[str]:
    return {word.lower() for text in texts for word in re.findall(r"\w+", text)}


def _vocabulary(name: str, factor: str) -> set[str]:
    """Every word that may differ where the factor does."""
    language = LANGUAGES[name]
    verbs = [form for each in language.verbs for verb in each.train for form in _forms(verb)]
    people = [noun for each in language.nouns for noun in each.train]
    described = [form for word in (*people, *language.adjectives.train) for form in _forms(word)]
    ways: dict[str, list[Iterable[str]]] = {
        "gender": [described, ARTICLES],
        "number": [described, ARTICLES, verbs],
        "tense": [verbs, *(each.train for each in language.times)],
        "polarity": [verbs, *(each.train for each in language.markers)],
        "sentiment": [each.train for each in language.qualities],
        "topic": [verbs, *([v.object for v in each.train] for each in language.verbs)],
        "register": [
            *(each.train for each in language.openers),
            verbs if name == "german" else (),
        ],
    }
    return GRAMMAR | {word for phrases in ways[factor] for word in _split(phrases)}


VOCABULARY = {
    (name, factor): _vocabulary(name, factor)
    for name in LANGUAGES
    for factor in FACTORS
    if factor != "language"
}


@given(PAIRS)
@settings(max_examples=300, deadline=None)
def test_only_words_of_the_factor_that_changes_differ(pair: MinimalPair) -> None:
    assert pair.factor is not None
    assert pair.anchor != pair.changed
    if pair.factor == "language":
        return
    name = list(LANGUAGES)[_read(pair.anchor).values["language"]]
    vocabulary = VOCABULARY[name, pair.factor]
    others = [
        [word for word in re.findall(r"\w+", text.lower()) if word not in vocabulary]
        for text in (pair.anchor, pair.changed)
    ]
    assert others[0] == others[1] != []


@given(PAIRS)
@settings(max_examples=400, deadline=None)
def test_labels_are_the_values_that_the_texts_voice(pair: MinimalPair) -> None:
    assert pair.factor is not None
    assert pair.values is not None
    anchor, changed = _read(pair.anchor).values, _read(pair.changed).values
    assert {name for name in FACTORS if anchor[name] != changed[name]} == {pair.factor}
    names = EnglishPairs(0).value_names
    assert [names[number] for number in pair.values] == [
        f"{pair.factor}={FACTORS[pair.factor][each[pair.factor]]}" for each in (anchor, changed)
    ]


@given(PAIRS)
@settings(max_examples=300, deadline=None)
def test_a_paraphrase_has_the_anchor_s_values_in_another_template(pair: MinimalPair) -> None:
    assert pair.paraphrase is not None
    assert _read(pair.paraphrase).values == _read(pair.anchor).values
    assert _template(pair.paraphrase) != _template(pair.anchor) == _template(pair.changed)


def _template(text: str) -> str:
    """The template, told by the order of time and mood and by what reports have."""
    reading = _read(text)
    language = list(LANGUAGES.values())[reading.values["language"]]
    if _says(text, ["people say that", "on dit que", "man sagt, dass", "dicen que"]):
        return "report"
    at = {
        name: min(reading.rest.lower().find(word.lower()) % 10**6 for word in each)
        for name, each in {
            "time": language.times[reading.values["tense"]].train,
            "mood": language.scenes.train,
            "person": [
                form for noun in language.nouns[reading.values["gender"]].train for form in noun
            ],
        }.items()
    }
    first = min(at, key=lambda name: at[name])
    return {"time": "time_first", "mood": "mood_first", "person": "plain"}[first]


def test_every_language_has_the_same_training_templates() -> None:
    names = {tuple(language.train_templates) for language in LANGUAGES.values()}
    assert names == {("plain", "time_first", "mood_first", "report")}


@given(PAIRS)
@settings(max_examples=300, deadline=None)
def test_both_sentences_have_words_of_the_same_places(pair: MinimalPair) -> None:
    assert _places(pair.anchor) == _places(pair.changed)


def _places(text: str) -> list[int]:
    """Places of object, time, person, adjective and scene in the lists that they are from."""
    values, rest = _read(text)
    language: Any = list(LANGUAGES.values())[values["language"]]
    return [
        _only(rest, [_forms(word) for word in words])
        for words in (
            [verb.object for verb in language.verbs[values["topic"]].train],
            language.times[values["tense"]].train,
            language.nouns[values["gender"]].train,
            language.adjectives.train,
            language.scenes.train,
        )
    ]


def test_a_translation_has_the_corresponding_words() -> None:
    pairs = _pairs(n=300, factors=["language"])
    assert any("last week" in p.anchor and "la semaine dernière" in p.changed for p in pairs)
    assert any("la sopa" in p.anchor and "die Suppe" in p.changed for p in pairs)


def _all_words(name: str, *, reserved: bool) -> set[str]:
    language = LANGUAGES[name]
    lists: list[Words[Any]] = [
        *language.openers, language.adjectives, *language.nouns, *language.verbs,
        *language.markers, *language.times, language.scenes, *language.qualities,
    ]  # fmt: skip
    kept = [word for words in lists for word in (words.reserved if reserved else words.train)]
    forms = {form for word in kept for form in _forms(word)}
    return forms | {word.object for word in kept if hasattr(word, "object")}


@pytest.mark.parametrize("name", LANGUAGES)
def test_reserved_words_and_templates_never_occur(name: str) -> None:
    texts = [text for pair in _pairs() for text in pair[:3] if text]
    own = [text for text in texts if FACTORS["language"][_read(text).values["language"]] == name]
    assert len(own) > len(texts) / 5
    reserved = _all_words(name, reserved=True) - _all_words(name, reserved=False)
    assert len(reserved) > 15
    between, train = (
        {
            part.strip()
            for template in templates.values()
            for part in re.split(r"\{\w+\}", template)
            if re.search(r"\w", part)
        }
        for templates in (LANGUAGES[name].reserved_templates, LANGUAGES[name].train_templates)
    )
    assert between - train
    pattern = "|".join(map(re.escape, reserved | (between - train)))
    bounded = re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.I)
    assert not [each for text in own for each in bounded.findall(text)]


def test_no_sentence_of_the_evaluation_occurs() -> None:
    texts = {text for pair in _pairs() for text in pair[:3]}
    assert not texts & set(open_factors("english", split="test").prompts)


@pytest.mark.parametrize("factors", [tuple(FACTORS), ("tense", "language")])
def test_factors_differ_equally_often(factors: tuple[str, ...]) -> None:
    counts = Counter(pair.factor for pair in _pairs(factors=factors))
    assert counts.keys() == set(factors)
    mean = N_GROUPS / len(factors)
    # within five standard deviations
    assert all(abs(n - mean) < 5 * mean**0.5 for n in counts.values())


def test_every_language_is_translated_into_every_other_equally_often() -> None:
    counts = Counter(pair.values for pair in _pairs(factors=["language"]))
    mean = N_GROUPS / 12
    assert len(counts) == 12
    assert all(abs(n - mean) < 5 * mean**0.5 for n in counts.values())


def test_anchors_are_the_same_whatever_may_differ() -> None:
    some, every = _pairs(n=20, factors=["tense"]), _pairs(n=20)
    assert [(p.anchor, p.paraphrase) for p in some] == [(p.anchor, p.paraphrase) for p in every]
