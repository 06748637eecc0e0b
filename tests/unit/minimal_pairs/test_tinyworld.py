"""Minimal pairs in tinyworld's sentences, whose values are read from their words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csae_bench.minimal_pairs import MinimalPair
from csae_bench.minimal_pairs.tinyworld import TinyworldPairs
from csae_bench.tinyworld import FACTORS, words
from csae_bench.tinyworld.grammar import (
    CONJUGATED,
    TRAIN_TEMPLATES,
    active_phrase,
    be_form,
    passive_phrase,
)
from tests.unit.tinyworld.test_corpus import FORBIDDEN

N_GROUPS = 1500

PAIRS = st.builds(
    lambda seed, group: TinyworldPairs(seed).pairs(group)[0],
    st.integers(0, 2**32),
    st.integers(0, 10**9),
)

NOUNS = [noun for nouns in words.TRAIN_OBJECTS for noun in nouns]
VOICES: dict[str, list[tuple[str, ...]]] = {
    "gender": [voices.train for voices in words.SUBJECTS],
    "number": [tuple(noun[number] for noun in NOUNS) for number in range(2)],
    "tense": [voices.train for voices in words.TIMES],
    "polarity": [voices.train for voices in words.OUTCOMES],
    "sentiment": [voices.train for voices in words.MOODS],
    "register": [voices.train for voices in words.CLOSERS],
    "domain": [voices.train for voices in words.PURPOSES],
    "topic": [voices.train for voices in words.COMPANIONS],
}
"""Words by which each factor's values are told, in any sentence."""


def _pairs(seed: int = 0, n: int = N_GROUPS, factors: Iterable[str] = FACTORS) -> list[MinimalPair]:
    texts = TinyworldPairs(seed, tuple(factors))
    return [pair for group in range(n) for pair in texts.pairs(group)]


def _says(text: str, phrases: Iterable[str]) -> bool:
    return bool(re.search(rf"(?<!\w)(?:{'|'.join(map(re.escape, phrases))})(?!\w)", text))


def _values(text: str) -> dict[str, int]:
    """The value of each factor that the text voices."""
    values: dict[str, int] = {}
    for factor, voices in VOICES.items():
        (values[factor],) = (value for value, each in enumerate(voices) if _says(text, each))
    return values


def _split(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"\w+", text)}


def _manners(polarity: int) -> tuple[str, ...]:
    return words.ADVERBS[polarity].train + words.CATENATIVES[polarity].train


def _verb_phrases() -> Iterator[str]:
    for tense, polarity, verb in product(range(3), range(2), words.VERBS):
        yield from (active_phrase(verb, tense, each) for each in _manners(polarity))
        for plural in (False, True):
            yield passive_phrase(verb, tense, plural, words.ADVERBS[polarity].train[0])


def _vocabulary(factor: str) -> set[str]:
    """Every word that may differ where the factor does."""
    ways: dict[str, list[Iterable[str]]] = {
        "gender": [voices.train for voices in (*words.SUBJECTS, *words.OWN)],
        "number": [
            *(voices.train for voices in words.DETERMINERS),
            *NOUNS,
            [be_form(tense, plural) for tense in range(3) for plural in (False, True)],
        ],
        "tense": [
            *(voices.train for voices in words.TIMES),
            *(forms.values() for forms in CONJUGATED),
            _verb_phrases(),
        ],
        "polarity": [
            *(_manners(polarity) for polarity in range(2)),
            *(voices.train for voices in words.OUTCOMES),
            _verb_phrases(),
        ],
        "sentiment": [voices.train for voices in words.MOODS],
        "register": [voices.train for voices in (*words.OPENERS, *words.CLOSERS)],
        "topic": [*NOUNS, *(voices.train for voices in words.COMPANIONS)],
    }
    ways["domain"] = [*ways["topic"], *(voices.train for voices in words.PURPOSES)]
    return {word for phrases in ways[factor] for word in _split(phrases)}


VOCABULARY = {factor: _vocabulary(factor) for factor in FACTORS}


def _others(text: str, factor: str) -> list[str]:
    """The words that say nothing of the factor, in their order."""
    return [word for word in re.findall(r"\w+", text) if word not in VOCABULARY[factor]]


@given(PAIRS)
@settings(max_examples=300, deadline=None)
def test_only_words_of_the_factor_that_changes_differ(pair: MinimalPair) -> None:
    assert pair.factor is not None
    assert _others(pair.anchor, pair.factor) == _others(pair.changed, pair.factor)
    assert pair.anchor != pair.changed


@given(PAIRS)
@settings(max_examples=300, deadline=None)
def test_changed_slots_have_words_of_the_same_place(pair: MinimalPair) -> None:
    for lists in (
        [[[each] for each in voices.train] for voices in words.SUBJECTS],
        [[[each] for each in voices.train] for voices in words.TIMES],
        [[[each] for each in voices.train] for voices in words.COMPANIONS],
        [list(nouns) for nouns in words.TRAIN_OBJECTS],
    ):
        anchor, changed = (
            [place for each in lists for place, forms in enumerate(each) if _says(text, forms)]
            for text in (pair.anchor, pair.changed)
        )
        assert anchor == changed
        assert len(anchor) == 1


def test_words_that_may_differ_are_few() -> None:
    every = _split(text for pair in _pairs(n=300) for text in (pair.anchor, pair.changed))
    for factor in set(FACTORS) - {"tense", "polarity"}:  # in which any verb changes its form
        assert len(every - VOCABULARY[factor]) > 0.6 * len(every)


@given(PAIRS)
@settings(max_examples=300, deadline=None)
def test_labels_are_the_values_that_the_texts_voice(pair: MinimalPair) -> None:
    assert pair.factor is not None
    assert pair.values is not None
    anchor, changed = _values(pair.anchor), _values(pair.changed)
    differing = {factor for factor in FACTORS if anchor[factor] != changed[factor]}
    assert differing == ({"domain", "topic"} if pair.factor == "domain" else {pair.factor})
    names = TinyworldPairs(0).value_names
    assert [names[number] for number in pair.values] == [
        f"{pair.factor}={FACTORS[pair.factor][each[pair.factor]]}" for each in (anchor, changed)
    ]


def _template(text: str) -> str:
    marks = {
        "plain": ", together with ",
        "time_first": " beside ",
        "mood_first": r" for an? \w+",
        "cleft": ", while ",
        "passive": r" by (?!h).*, and ",
        "report": r"(?:heard|hears|hear) how ",
    }
    assert marks.keys() == TRAIN_TEMPLATES.keys()
    (template,) = (name for name, mark in marks.items() if re.search(mark, text))
    return template


@given(PAIRS)
@settings(max_examples=300, deadline=None)
def test_a_paraphrase_has_the_anchor_s_values_in_another_template(pair: MinimalPair) -> None:
    assert pair.paraphrase is not None
    assert _values(pair.paraphrase) == _values(pair.anchor)
    assert _template(pair.paraphrase) != _template(pair.anchor) == _template(pair.changed)


def test_a_paraphrase_is_of_the_same_situation_in_words_drawn_anew() -> None:
    pairs = _pairs()
    n_equal = 0
    for pair in pairs:
        assert pair.paraphrase is not None
        assert _situation(pair.paraphrase) == _situation(pair.anchor) == _situation(pair.changed)
        n_equal += _subject(pair.anchor) == _subject(pair.paraphrase)
    assert len({_situation(pair.anchor) for pair in pairs}) > 400
    # one of seven subjects by chance, with a standard deviation of 0.9%
    assert abs(n_equal / len(pairs) - 1 / 7) < 0.04


def _situation(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Verb and adjective; some are also said of other things."""
    verbs = {verb.base for verb in words.VERBS if _says(text, verb)} - {"choose"}
    return frozenset(verbs), frozenset(_split([text]) & (set(words.ADJECTIVES) - {"old", "square"}))


def _subject(text: str) -> str:
    subjects = [each for voices in words.SUBJECTS for each in voices.train]
    (subject,) = (each for each in subjects if _says(text, [each]))
    return subject


def test_words_and_templates_reserved_for_evaluation_never_occur() -> None:
    texts = [text for pair in _pairs() for text in pair[:3] if text]
    assert len(texts) == 3 * N_GROUPS
    assert not [each for text in texts for each in FORBIDDEN.findall(text)]


def test_every_training_word_of_a_changed_slot_occurs() -> None:
    text = "\n".join(pair.changed for pair in _pairs())
    assert not [
        phrase
        for voices in (*words.SUBJECTS, *words.TIMES, *words.MOODS, *words.OPENERS)
        for phrase in voices.train
        if phrase not in text
    ]


@pytest.mark.parametrize("factors", [tuple(FACTORS), ("tense", "topic", "domain")])
def test_factors_differ_equally_often(factors: tuple[str, ...]) -> None:
    counts = Counter(pair.factor for pair in _pairs(factors=factors))
    assert counts.keys() == set(factors)
    mean = N_GROUPS / len(factors)
    # within five standard deviations
    assert all(abs(n - mean) < 5 * mean**0.5 for n in counts.values())


@pytest.mark.parametrize(("factor", "n"), [("tense", 3 * 2), ("topic", 9 * 2), ("domain", 3 * 2)])
def test_every_change_of_a_factor_is_as_likely(factor: str, n: int) -> None:
    counts = Counter(pair.values for pair in _pairs(factors=[factor]))
    mean = N_GROUPS / n
    assert len(counts) == n
    assert all(abs(each - mean) < 5 * mean**0.5 for each in counts.values())


def test_anchors_are_the_same_whatever_may_differ() -> None:
    some, every = _pairs(n=20, factors=["tense"]), _pairs(n=20)
    assert [(p.anchor, p.paraphrase) for p in some] == [(p.anchor, p.paraphrase) for p in every]
