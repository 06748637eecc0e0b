"""csae_bench/engines/factors/value_mig_parts.py."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.engines.factors.value_mig_parts import parts_of_value_mig
from csae_bench.metrics import value_mig

TOPICS = ["law", "music", "sports"] * 40
TENSES = ["past", "now"] * 60
FACTORS = {"topic": TOPICS, "tense": TENSES}


def _codes(noise: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    own = np.array([[topic == "law", topic == "music", topic == "sports"] for topic in TOPICS])
    doubles = own ^ (rng.random(own.shape) < noise)
    return np.concatenate([own, doubles], axis=1).astype(float)


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5])
def test_their_difference_is_value_mig_for_each_factor_and_for_all(noise: float) -> None:
    score = value_mig(_codes(noise), FACTORS)
    best, double = parts_of_value_mig(score)
    assert best.value is not None
    assert double.value is not None
    assert best.value - double.value == pytest.approx(score.value)
    for factor, gap in score.by_factor.items():
        assert (best.by_factor[factor] or 0) - (double.by_factor[factor] or 0) == pytest.approx(gap)


def test_an_exact_double_knows_as_much_as_the_best_latent() -> None:
    best, double = parts_of_value_mig(value_mig(_codes(0.0), FACTORS))
    assert best.by_factor["topic"] == pytest.approx(1)
    assert double.by_factor["topic"] == pytest.approx(1)


def test_where_value_mig_is_undefined_so_are_its_parts() -> None:
    score = value_mig(np.ones((120, 4)), FACTORS)
    for part in parts_of_value_mig(score):
        assert part.value is None
        assert part.reason == score.reason
        assert set(part.by_factor.values()) == {None}


def test_a_factor_with_one_value_is_left_out() -> None:
    score = value_mig(_codes(0.1), {"topic": TOPICS, "constant": ["one"] * 120})
    best, double = parts_of_value_mig(score)
    assert best.by_factor["constant"] is None
    assert double.by_factor["constant"] is None
    assert best.value == best.by_factor["topic"]
