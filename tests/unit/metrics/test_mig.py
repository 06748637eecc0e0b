"""MIG, value MIG and MIG-sup: known answers, invariances and a slow transcription."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from csae_bench.metrics.mig import binning_sensitivity, mig, mig_sup, value_mig
from tests.unit.metrics.codes import (
    Array,
    firing_at,
    grid,
    mig_slowly,
    one_per_value,
    rotated,
)

SEEDS = range(4)
METRICS = [mig, value_mig, mig_sup]
SPARSE_METRICS = [value_mig, mig_sup]


def value(metric: Callable[..., Any], codes: Array, factors: Any) -> float:
    score = metric(codes, factors).value
    assert score is not None
    return score


def shuffled(factors: Array, seed: int) -> tuple[Array, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.permutation(factors), rng


def partly(seed: int, n_latents: int = 30) -> tuple[Array, Array]:
    """Codes that know something of the factors, heavy-tailed."""
    factors, rng = shuffled(grid(3, 4, 25), seed)
    detectors = one_per_value(factors)
    heard = detectors * (rng.random(detectors.shape) < 0.8) * rng.lognormal(size=detectors.shape)
    return np.concatenate([heard, firing_at(0.2, len(factors), n_latents, rng)], 1), factors


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_values", [2, 3, 4])
def test_one_latent_per_factor_scores_1(seed: int, n_values: int) -> None:
    factors, rng = shuffled(grid(n_values, 5, 2 + 60 // n_values**2), seed)
    codes = rng.permuted(np.tile(np.arange(n_values) + 1.0, (5, 1)), axis=1)[np.arange(5), factors]
    for metric in METRICS:
        assert value(metric, codes, factors) >= 0.99


@pytest.mark.parametrize("seed", SEEDS)
def test_duplicated_latents_score_0(seed: int) -> None:
    factors, rng = shuffled(grid(4, 5, 2), seed)
    for codes in (factors + 1.0, one_per_value(factors)):
        twice = np.concatenate([codes, codes * rng.lognormal(size=codes.shape[1])], 1)
        assert value(mig, twice, factors) <= 0.01
        assert value(value_mig, twice, factors) <= 0.01


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_values", [3, 4])
def test_an_oracle_sae_scores_1_by_value_and_0_by_factor(seed: int, n_values: int) -> None:
    factors, _ = shuffled(grid(n_values, 5, 3), seed)
    assert value(mig, one_per_value(factors), factors) <= 0.01
    assert value(value_mig, one_per_value(factors), factors) >= 0.99


@pytest.mark.parametrize("seed", SEEDS)
def test_magnitudes_with_a_heavy_tail_lose_nothing_by_value(seed: int) -> None:
    factors, rng = shuffled(grid(4, 5, 3), seed)
    codes = one_per_value(factors) * rng.lognormal(size=(len(factors), 20))
    assert value(value_mig, codes, factors) >= 0.99


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("n_values", "repeats"), [(3, 9), (3, 20), (4, 2), (4, 4)])
def test_rare_latents_do_not_hurt_an_oracle_sae(seed: int, n_values: int, repeats: int) -> None:
    factors, rng = shuffled(grid(n_values, 5, repeats), seed)
    rare = firing_at(0.02, len(factors), 2000, rng)
    codes = np.concatenate([one_per_value(factors), rare], 1)
    assert value(mig, codes, factors) <= 0.01
    assert value(value_mig, codes, factors) >= 0.99


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_values", [2, 4, 10])
def test_rotated_factors_score_about_0(seed: int, n_values: int) -> None:
    factors = np.random.default_rng(seed).integers(n_values, size=(3000, 8))
    codes = rotated(factors)
    for each in (codes, np.concatenate([codes.clip(0), (-codes).clip(0)], 1)):
        assert value(mig, each, factors) < 0.02
        assert value(value_mig, each, factors) < 0.03


@pytest.mark.parametrize("seed", SEEDS)
def test_rotating_the_whole_grid_scores_0(seed: int) -> None:
    factors, _ = shuffled(grid(2, 8, 10), seed)
    assert value(mig, rotated(factors), factors) < 0.02
    assert value(value_mig, rotated(factors), factors) < 0.03


@pytest.mark.parametrize("seed", SEEDS)
def test_random_codes_score_about_0(seed: int) -> None:
    factors, rng = shuffled(grid(4, 5, 2), seed)
    codes = firing_at(0.05, len(factors), 500, rng)
    for metric in METRICS:
        assert value(metric, codes, factors) < 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_mig_agrees_with_a_transcription_of_disentanglement_lib(seed: int) -> None:
    codes, factors = partly(seed, n_latents=8)
    factors = np.concatenate([factors, np.zeros((len(factors), 1), int)], 1)
    assert abs(value(mig, codes, factors) - mig_slowly(codes, factors)) < 1e-12


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_latents_does_not_matter(metric: Callable[..., Any], seed: int) -> None:
    codes, factors = partly(seed)
    order = np.random.default_rng(seed).permutation(codes.shape[1])
    # sums in another order
    assert abs(value(metric, codes[:, order], factors) - value(metric, codes, factors)) < 1e-12


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_samples_does_not_matter(metric: Callable[..., Any], seed: int) -> None:
    codes, factors = partly(seed)
    order = np.random.default_rng(seed).permutation(len(codes))
    result = value(metric, codes[order], factors[order])
    assert abs(result - value(metric, codes, factors)) < 1e-12


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_latents_scale_does_not_matter(metric: Callable[..., Any], seed: int) -> None:
    codes, factors = partly(seed)
    scales = np.random.default_rng(seed).lognormal(0, 5, codes.shape[1])
    # an equal-width edge may round past a code, which then counts in the next bin
    tolerance = 1e-3 if metric is mig else 1e-12
    assert abs(value(metric, codes * scales, factors) - value(metric, codes, factors)) < tolerance


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", SEEDS)
def test_added_dead_latents_do_not_matter(metric: Callable[..., Any], seed: int) -> None:
    codes, factors = partly(seed)
    more = np.concatenate([np.zeros((len(codes), 50)), codes, np.full((len(codes), 3), 2.5)], 1)
    assert abs(value(metric, more, factors) - value(metric, codes, factors)) < 1e-12


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", SEEDS)
def test_noise_lowers_the_score(metric: Callable[..., Any], seed: int) -> None:
    factors, rng = shuffled(grid(3, 4, 25), seed)
    noise = rng.normal(size=factors.shape)
    scores = [value(metric, factors + 1 + s * noise, factors) for s in (0, 0.2, 0.5, 1, 3)]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.2


def test_one_latent_for_two_factors_lowers_mig_sup_alone() -> None:
    factors = grid(2, 4, 30)
    both = (2 * factors[:, 0] + factors[:, 1])[:, None] + 1.0
    codes = np.concatenate([both, factors[:, 2:] + 1.0], 1)
    assert value(mig, codes, factors) >= 0.99
    assert value(value_mig, codes, factors) >= 0.99
    assert abs(value(mig_sup, codes, factors) - 2 / 3) < 1e-9


def test_an_on_and_an_off_latent_of_a_two_valued_factor_are_siblings() -> None:
    factors = grid(2, 3, 50)
    assert value(value_mig, one_per_value(factors), factors) >= 0.99
    on = one_per_value(factors)[:, 1::2]
    twice = np.concatenate([on, on], 1)
    assert value(value_mig, twice, factors) <= 0.01


def test_a_latent_of_another_factor_is_no_sibling() -> None:
    # latent 1 is best at factor b, so its information on a's values competes
    a = np.repeat([0, 1, 2], 200)
    b = np.where(np.random.default_rng(0).random(600) < 0.9, a, (a + 1) % 3)
    codes = np.stack([a == 0, a == 1, a == 2, b == 0, b == 1, b == 2], 1) * 1.0
    own = value_mig(codes, {"a": a, "b": b}).by_factor["a"]
    alone = value_mig(codes[:, :3], {"a": a, "b": b}).by_factor["a"]
    assert own is not None
    assert alone is not None
    assert alone >= 0.99 > 0.7 > own


def test_the_best_latents_are_named_by_factor_and_value() -> None:
    factors = grid(3, 2, 100)
    score = value_mig(one_per_value(factors), {"size": factors[:, 0], "hue": factors[:, 1]})
    assert score.best_latents == {
        "size": {"0": 0, "1": 1, "2": 2},
        "hue": {"0": 3, "1": 4, "2": 5},
    }
    assert score.best_information["hue"]["2"] == pytest.approx(1)
    assert mig(factors[:, ::-1] + 1.0, factors).best_latents == {"factor_0": 1, "factor_1": 0}


def test_the_runner_up_is_the_best_latent_that_competes() -> None:
    factors = grid(3, 2, 100)
    codes = one_per_value(factors)
    # latent 6 stands in for latent 4 in nine of ten samples
    double = codes[:, 4] * (np.random.default_rng(0).random(len(codes)) < 0.9)
    score = value_mig(np.concatenate([codes, double[:, None]], 1), factors)
    assert score.best_latents["factor_1"]["1"] == 4
    assert score.runner_up_latents["factor_1"]["1"] == 6


def test_a_latent_without_a_rival_has_no_runner_up() -> None:
    score = value_mig(one_per_value(grid(3, 2, 100)), grid(3, 2, 100))
    for values in score.runner_up_latents.values():
        assert set(values.values()) == {None}
    assert value_mig(np.zeros((6, 3)), grid(2, 1, 3)).runner_up_latents == {
        "factor_0": {"0": None, "1": None}
    }


def test_a_factor_of_one_value_is_left_out_with_a_reason() -> None:
    factors = np.concatenate([grid(3, 2, 50), np.zeros((450, 1), int)], 1)
    codes = one_per_value(factors[:, :2])
    for metric in METRICS:
        score = metric(codes, factors)
        assert score.value == pytest.approx(metric(codes, factors[:, :2]).value, abs=1e-12)
        assert score.by_factor["factor_2"] is None
        assert "one value" in score.reason_by_factor["factor_2"]


@pytest.mark.parametrize("metric", METRICS)
def test_a_dead_sae_has_no_score(metric: Callable[..., Any]) -> None:
    score = metric(np.zeros((100, 5)), grid(10, 2))
    assert score.value is None
    assert score.reason == "no latent varies over the samples"


def test_one_latent_has_no_runner_up_for_mig() -> None:
    factors = grid(2, 2, 30)
    assert mig(factors[:, :1] + 1, factors).reason == "there is one latent, which has no runner-up"


def test_mig_sup_needs_two_factors() -> None:
    score = mig_sup(np.eye(4), [0, 1, 0, 1])
    assert score.value is None
    assert score.reason == "fewer than two factors have more than one value"


def test_a_factor_that_no_latent_knows_best_has_no_mig_sup() -> None:
    factors = grid(3, 2, 50)
    score = mig_sup(one_per_value(factors[:, :1]), factors)
    assert score.value is not None
    assert score.by_factor["factor_1"] is None
    assert "no latent is more informative" in score.reason_by_factor["factor_1"]


def test_settings_are_stored_with_the_score() -> None:
    codes, factors = partly(0)
    assert mig(codes, factors).settings == {"binning": "equal_width", "n_bins": 20}
    expected = {"binning": "sparse", "n_quantiles": 8, "max_values": 32, "min_repeats": 2}
    assert value_mig(codes, factors, n_quantiles=8).settings == expected


def test_sensitivity_names_the_value_at_each_number_of_bins() -> None:
    codes, factors = partly(0)
    result = binning_sensitivity(codes, factors)
    assert set(result) == {"value_mig", "mig_sup"}
    for metric in SPARSE_METRICS:
        expected = {q: metric(codes, factors, n_quantiles=q).value for q in (1, 4, 8)}
        assert result[metric.__name__] == expected


def test_where_all_others_are_siblings_the_best_latent_has_no_rival() -> None:
    factor = np.tile([0, 1, 2], 100)
    assert value(value_mig, one_per_value(factor[:, None]), factor) == pytest.approx(1)
