"""Sentences, slot by slot, and those of the model's training, which stay as they were."""

from __future__ import annotations

import hashlib
import json
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
