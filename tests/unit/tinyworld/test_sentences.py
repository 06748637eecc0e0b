"""Sentences, slot by slot, and those of the model's training, which stay as they were."""

from __future__ import annotations

import hashlib
import json
import re
from random import Random

import pytest

from csae_bench.tinyworld import FACTORS, documents, factor_grid, paraphrases
from csae_bench.tinyworld.grammar import TRAIN_TEMPLATES
from csae_bench.tinyworld.sentences import (
    combinations,
    draw_situation,
    draw_values,
    other_values,
    say,
    say_by_slot,
)
from csae_bench.tinyworld.words import OPENERS, OWN, SUBJECTS

TEXTS = {
    "grid for tests": ("d913707b", lambda: [p.text for p in factor_grid("test").prompts]),
    "grid for training": ("d2e41a8f", lambda: [p.text for p in factor_grid("train").prompts]),
    "paraphrases": ("a21bfc90", lambda: list(paraphrases(200))),
    "corpus of the model": ("6b779135", lambda: list(documents("lm", 100))),
    "corpus of SAEs": ("e1a86af0", lambda: list(documents("sae", 100))),
}
"""Texts that the bundled model was trained on or is measured on, and how their hashes begin."""


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_those_of_the_bundled_model(name: str) -> None:
    begins, texts = TEXTS[name]
    assert hashlib.sha256(json.dumps(texts()).encode()).hexdigest()[:8] == begins


@pytest.mark.parametrize("template", TRAIN_TEMPLATES)
def test_one_random_for_all_slots_is_say(template: str) -> None:
    situation = draw_situation(Random(1), draw_values(Random(2)))
    rng = Random(3)
    by_slot = say_by_slot(situation, template, lambda _: rng, reserved=False)
    assert by_slot == say(situation, template, Random(3), reserved=False)


@pytest.mark.parametrize("template", TRAIN_TEMPLATES)
def test_each_slot_draws_from_its_own_random_alone(template: str) -> None:
    situation = draw_situation(Random(1), draw_values(Random(2), register=0, gender=0))
    asked: list[str] = []

    def said(**seeds: int) -> str:
        def random_of(slot: str) -> Random:
            asked.append(slot)
            return Random(f"{slot} {seeds.get(slot, 0)}")

        return say_by_slot(situation, template, random_of, reserved=False)

    text = said()
    assert len(set(asked)) == len(asked)
    for slot, voices in (("opener", OPENERS[0]), ("subject", SUBJECTS[0]), ("own", OWN[0])):
        (word,) = (each for each in voices.train if re.search(rf"{re.escape(each)}(?!\w)", text))
        others = {said(**{slot: seed}) for seed in range(100)}
        assert others == {text.replace(word, each) for each in voices.train}


def test_the_other_values_differ_in_one_factor_alone() -> None:
    for values in combinations()[::7]:
        for factor in FACTORS:
            others = other_values(values, factor)
            assert len(set(others)) == len(others)
            for other in others:
                differing = {n for n in FACTORS if getattr(values, n) != getattr(other, n)}
                assert differing == ({"domain", "topic"} if factor == "domain" else {factor})
                assert other.domain == other.topic // 3


@pytest.mark.parametrize(
    ("factor", "n_others"), [("gender", 1), ("tense", 2), ("topic", 2), ("domain", 6)]
)
def test_all_other_values_are_listed(factor: str, n_others: int) -> None:
    assert {len(other_values(values, factor)) for values in combinations()} == {n_others}
