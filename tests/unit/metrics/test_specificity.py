"""Effects of interventions and their specificity, on changes that are known."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from csae_bench.metrics.data import Factors
from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.specificity import NO_OTHERS, ONE_CLUSTER, WITHIN_NOISE, Changes, effects

N = 24
FACTORS = Factors(np.array([[0, 0], [1, 1]]), ("a", "b"), (("x", "y"), ("u", "v")))
TEMPLATES = np.arange(N) % 6


def _changes(own: float, others: float, noise: float = 0.1, seed: int = 0) -> Changes:
    rng = np.random.default_rng(seed)
    return Changes(own + noise * rng.normal(size=N), np.full(N, float(others)), TEMPLATES)


def test_a_latent_that_moves_its_own_word_alone_is_wholly_specific() -> None:
    measured = effects(dict.fromkeys(range(4), _changes(2, 0)), {}, FACTORS)
    assert measured.specificity.value == 1
    # 24 normal draws of .1: their mean is within .1 of 2
    assert measured.own.value == pytest.approx(2, abs=0.1)
    interval = measured.own_interval.score
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < measured.own.value < interval.high


def test_specificity_is_the_own_part_of_what_is_moved() -> None:
    measured = effects({0: _changes(3, 1, noise=0), 2: _changes(1, 1, noise=0)}, {}, FACTORS)
    assert measured.by_value[0]["specificity"].value == pytest.approx(0.75)
    assert measured.by_value[2]["specificity"].value == pytest.approx(0.5)
    # of the means over factors: 2 / (2 + 1)
    assert measured.specificity.value == pytest.approx(2 / 3)
    assert measured.specificity.by_factor == pytest.approx({"a": 0.75, "b": 0.5})


@pytest.mark.parametrize("own", [0.0, -2.0])
def test_an_effect_within_noise_or_against_its_word_has_no_specificity(own: float) -> None:
    measured = effects(dict.fromkeys(range(4), _changes(own, 1, seed=3)), {}, FACTORS)
    assert measured.own.value == pytest.approx(own, abs=0.1)
    assert measured.specificity.value is None
    assert measured.specificity.reason == WITHIN_NOISE
    assert measured.specificity.reason_by_factor == {"a": WITHIN_NOISE, "b": WITHIN_NOISE}
    assert measured.specificity_interval.score.reason == WITHIN_NOISE
    assert measured.by_value[1]["specificity"].reason == WITHIN_NOISE


def test_templates_that_differ_are_noise_where_their_prompts_are_not() -> None:
    by_template = np.array([4.0, -4.0, 4.0, -4.0, 3.0, -2.0])[TEMPLATES]
    measured = effects({0: Changes(by_template, np.zeros(N), TEMPLATES)}, {}, FACTORS)
    assert measured.by_value[0]["own"].value == pytest.approx(1 / 6)
    assert measured.by_value[0]["specificity"].reason == WITHIN_NOISE


def test_values_without_changes_have_their_reason_and_are_left_out() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured = effects(
            {0: _changes(2, 1)}, {1: "not one", 2: "no latent", 3: "no word"}, FACTORS
        )
    assert measured.by_value[1]["own"].reason == "not one"
    assert measured.own.value == measured.own.by_factor["a"] == measured.by_value[0]["own"].value
    assert measured.own.reason_by_factor == {"b": "no latent; no word"}
    assert measured.specificity.reason_by_factor == {"b": "no latent; no word"}


def test_nothing_done_has_the_reason_of_all() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured = effects({}, dict.fromkeys(range(4), "no readouts"), FACTORS)
    for score in (measured.own, measured.specificity):
        assert score.value is None
        assert score.reason == "no readouts"
    assert measured.own_interval.score.low is None


def test_one_template_has_an_effect_and_no_specificity() -> None:
    one = Changes(np.full(N, 2.0), np.zeros(N), np.zeros(N, np.int64))
    measured = effects({0: one}, {}, FACTORS)
    assert measured.own.value == 2
    assert measured.own_interval.score.low is None
    assert measured.specificity.reason == ONE_CLUSTER


def test_without_other_words_there_is_no_specificity() -> None:
    measured = effects({0: Changes(np.full(N, 2.0), np.full(N, np.nan), TEMPLATES)}, {}, FACTORS)
    assert measured.by_value[0]["own"].value == 2
    assert measured.by_value[0]["others"].reason == NO_OTHERS
    assert measured.specificity.reason == NO_OTHERS


def test_too_few_resamples_are_an_error() -> None:
    with pytest.raises(MetricInputError, match="n_resamples is 10"):
        effects({0: _changes(1, 1)}, {}, FACTORS, n_resamples=10)
