"""Permutation nulls: random codes are inside, oracle ones far outside."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.metrics.data import Factors, MetricInputError
from csae_bench.metrics.mig import mig, mig_sup, value_mig
from csae_bench.metrics.nulls import ScoreNull, null_of, permutation_null, permutations
from tests.unit.metrics.codes import firing_at, grid, one_per_value

SCORES = ("maximum", "mig", "value_mig", "mig_sup")


@pytest.mark.slow
def test_random_codes_are_inside_their_null() -> None:
    p: dict[str, list[float]] = {name: [] for name in SCORES}
    for seed in range(15):
        rng = np.random.default_rng(seed)
        factors = grid(3, 5, 9)
        codes = firing_at(0.05, len(factors), 200, rng)
        null = permutation_null(codes, factors, n_permutations=60, seed=seed)
        for name in SCORES:
            result = getattr(null, name).score
            p[name].append(result.p)
            assert abs(result.adjusted) < 0.01
    for values in p.values():
        # uniform under the null: the mean of 15 has a standard deviation of .075
        assert 0.25 < np.mean(values) < 0.75


@pytest.mark.parametrize("seed", range(3))
def test_an_oracle_sae_is_outside_its_null(seed: int) -> None:
    factors = grid(3, 5, 9)
    noise = firing_at(0.05, len(factors), 200, np.random.default_rng(seed))
    codes = np.concatenate([one_per_value(factors), noise], 1)
    null = permutation_null(codes, factors, n_permutations=99, seed=seed)
    assert null.value_mig.score is not None
    assert null.value_mig.score.p == 0.01
    assert null.value_mig.score.adjusted > 0.97
    for each in null.maximum.by_factor.values():
        assert each is not None
        assert each.p == 0.01
        assert each.observed > each.quantile_95 > each.mean > 0


def test_the_maximum_of_more_latents_is_larger_by_chance() -> None:
    factors = grid(3, 4, 25)
    codes = firing_at(0.05, len(factors), 1000, np.random.default_rng(0))
    means = []
    for d_sae in (10, 100, 1000):
        null = permutation_null(codes[:, :d_sae], factors, n_permutations=20).maximum.score
        assert null is not None
        means.append(null.mean)
    assert means == sorted(means)
    assert means[-1] > 1.5 * means[0]


def test_what_is_observed_is_what_the_metrics_give() -> None:
    rng = np.random.default_rng(0)
    factors = Factors.of(rng.integers(0, [3, 2, 4], (500, 3)))
    codes = firing_at(0.3, 500, 30, rng) + 0.5 * one_per_value(factors.values)[:, [0] * 30]
    null = permutation_null(codes, factors, n_permutations=1)
    for metric in (mig, value_mig, mig_sup):
        score, of_null = metric(codes, factors), getattr(null, metric.__name__)
        assert of_null.score.observed == pytest.approx(score.value, abs=1e-12)
        for name, value in score.by_factor.items():
            result = of_null.by_factor[name]
            assert (result and result.observed) == (value and pytest.approx(value, abs=1e-12))


def test_a_factor_of_one_value_has_no_null() -> None:
    null = permutation_null(np.eye(10), np.stack([np.arange(10) % 2, np.zeros(10)], 1))
    assert null.maximum.by_factor["factor_1"] is None
    assert null.value_mig.by_factor["factor_1"] is None


def test_a_dead_sae_has_no_null() -> None:
    null = permutation_null(np.zeros((10, 3)), np.arange(10) % 2, n_permutations=2)
    empty = ScoreNull(score=None, by_factor={"factor_0": None})
    assert (null.maximum, null.mig, null.value_mig, null.mig_sup) == (empty,) * 4


def test_p_counts_the_observed_order_as_one_permutation() -> None:
    draws = np.array([0.1, 0.2, 0.3, 0.4])
    for observed, p in ((0.5, 1 / 5), (0.3, 3 / 5), (0.0, 1.0)):
        result = null_of(observed, draws)
        assert result is not None
        assert result.p == p
        assert result.adjusted == pytest.approx(observed - 0.25)
    assert null_of(np.nan, draws) is None


def test_the_same_seed_gives_the_same_null() -> None:
    codes = firing_at(0.3, 100, 5, np.random.default_rng(0))
    factors = np.arange(100) % 3
    first, second = (permutation_null(codes, factors, n_permutations=5, seed=1) for _ in range(2))
    assert first == second


def test_no_permutation_is_refused() -> None:
    with pytest.raises(MetricInputError, match="n_permutations is 0"):
        list(permutations(10, 0, 0))
