"""Paraphrases in the words of the grid `english`."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter

from csae_bench.factors import open_factors
from csae_bench.factors.datasets.english.in_english import ENGLISH, Verb
from csae_bench.factors.datasets.english.language import Adjective, Forms, Words
from csae_bench.paraphrases.english import EnglishParaphrases

N_GROUPS = 3000


def _texts() -> list[str]:
    groups = EnglishParaphrases(0)
    return [text for group in range(N_GROUPS) for text in groups.texts(group)]


def _surface(word: object) -> list[str]:
    """The forms under which a word occurs in a sentence."""
    if isinstance(word, Forms):
        return list(word)
    if isinstance(word, Verb):
        return [word.base, word.third, word.past]
    if isinstance(word, Adjective):
        return [word.feminine.singular]
    assert isinstance(word, str)
    return [word]


def _words(*, reserved: bool) -> set[str]:
    """Forms of all words for training, or of all that are kept for evaluation."""
    lists: list[Words[object]] = [
        *(ENGLISH.openers), ENGLISH.adjectives, *ENGLISH.nouns, *ENGLISH.verbs, *ENGLISH.markers,
        *ENGLISH.times, ENGLISH.scenes, *ENGLISH.qualities,
    ]  # fmt: skip
    kept = [word for words in lists for word in (words.reserved if reserved else words.train)]
    return {form for word in kept for form in _surface(word)}


def test_reserved_words_never_occur() -> None:
    # `definitely` is reserved where it affirms, and a training word where it denies
    reserved = _words(reserved=True) - _words(reserved=False)
    assert {"actress", "friendly", "two days ago", "bandage", "superb", "simply"} <= reserved
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(reserved)))})(?!\w)", re.I)
    assert not [word for text in _texts() for word in pattern.findall(text)]


def test_definitely_never_affirms() -> None:
    denials = re.compile(r"(?:not|n't)\b")
    assert [t for t in _texts() if "definitely" in t]
    assert not [t for t in _texts() if "definitely" in t and not denials.search(t)]


def test_reserved_templates_never_occur() -> None:
    # what a template has between its slots: no training template has the same
    reserved, train = (
        {
            part.strip()
            for template in templates.values()
            for part in re.split(r"\{\w+\}", template)
            if re.search(r"\w", part)
        }
        for templates in (ENGLISH.reserved_templates, ENGLISH.train_templates)
    )
    between = reserved - train
    assert {", as everyone knows,", "we believe that", "one thing is clear:"} < between
    assert not [text for text in _texts() if any(part in text for part in between)]


def test_no_sentence_of_the_evaluation_occurs() -> None:
    assert not set(_texts()) & set(open_factors("english", split="test").prompts)


def test_all_training_words_and_templates_occur() -> None:
    text = "\n".join(_texts()).casefold()
    assert not [word for word in _words(reserved=False) if word.casefold() not in text]
    assert "people say that" in text


def test_both_sentences_say_the_same_in_other_templates() -> None:
    objects = [verb.object for words in ENGLISH.verbs for verb in words.train]
    times = [time for words in ENGLISH.times for time in words.train]
    nouns = [form for words in ENGLISH.nouns for noun in words.train for form in noun]
    groups = EnglishParaphrases(1)
    for group in range(300):
        # what follows the words of address, of which some name people
        one, other = (text.partition(", ")[2] for text in groups.texts(group))
        assert one != other
        for words in (objects, times, ENGLISH.scenes.train, nouns):
            said = [
                {word for word in words if re.search(rf"\b{word}\b", text, re.I)}
                for text in (one, other)
            ]
            assert said[0] == said[1]
            assert len(said[0]) == 1
        denied = [bool(re.search(r"\bnot\b|n't\b", text)) for text in (one, other)]
        assert denied[0] == denied[1]


def test_groups_are_of_all_values_alike() -> None:
    denied = Counter(bool(re.search(r"\bnot\b|n't\b", text)) for text in _texts()[::2])
    # a standard deviation of 27 groups
    assert abs(denied[True] - N_GROUPS / 2) < 110


def test_sentences_are_those_of_the_first_release() -> None:
    groups = EnglishParaphrases(5)
    texts = [groups.texts(group) for group in range(300)]
    texts += [open_factors("english", split=split).prompts for split in ("train", "test")]
    assert hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:8] == "dfefa7ed"
