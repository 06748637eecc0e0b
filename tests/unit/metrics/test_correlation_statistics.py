"""How sure the largest correlation with a factor is."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.metrics.correlation import factor_correlations
from csae_bench.metrics.correlation_statistics import (
    correlation_interval,
    correlation_null,
    held_out_correlation,
)
from csae_bench.metrics.eta_squared import eta_squared
from csae_bench.metrics.factor_vae import factor_vae, factor_vae_population
from csae_bench.metrics.factor_vae_nulls import factor_vae_null, factor_vae_population_null

N = 600


def _samples(seed: int, strength: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, [2, 3], size=(N, 2))
    codes = np.maximum(rng.normal(size=(N, 30)), 0)
    codes[:, 4] += strength * factors[:, 0]
    codes[:, 9] += strength * (factors[:, 1] == 2)
    return codes, factors, np.repeat(np.arange(20), N // 20)


@pytest.mark.parametrize("seed", range(3))
def test_unrelated_codes_are_inside_every_null(seed: int) -> None:
    codes, factors, _ = _samples(seed, strength=0)
    score = factor_correlations(codes, factors)
    null = correlation_null(codes, factors, score, n_permutations=100).score
    assert null is not None
    assert null.p > 0.01
    assert abs(null.adjusted) < 0.05
    votes = factor_vae(codes, factors, n_train=500, n_eval=500)
    of_votes = factor_vae_null(codes, factors, votes, n_permutations=20).score
    assert of_votes is not None
    assert abs(of_votes.adjusted) < 0.1
    population = factor_vae_population(codes, factors)
    of_population = factor_vae_population_null(codes, factors, population).score
    assert of_population is not None
    assert of_population.mean <= 0.1


def test_related_codes_are_outside_every_null() -> None:
    codes, factors, _ = _samples(0, strength=3)
    score = factor_correlations(codes, factors)
    null = correlation_null(codes, factors, score, n_permutations=100)
    assert all(each is not None and each.p < 0.02 for each in null.by_factor.values())
    votes = factor_vae(codes, factors, n_train=500, n_eval=500)
    of_votes = factor_vae_null(codes, factors, votes, n_permutations=20).score
    assert of_votes is not None
    assert of_votes.p == pytest.approx(1 / 21)
    population = factor_vae_population(codes, factors)
    of_population = factor_vae_population_null(codes, factors, population).score
    assert of_population is not None
    assert of_population.p < 0.02


def test_the_interval_holds_the_score_even_with_a_cluster_a_sample() -> None:
    codes, factors, clusters = _samples(0, strength=1)
    score = factor_correlations(codes, factors)
    for labels in (clusters, np.arange(N)):
        interval = correlation_interval(codes, factors, labels).score
        assert interval.low is not None
        assert interval.high is not None
        assert score.value is not None
        assert interval.low < score.value < interval.high


def test_held_out_is_the_eta_of_the_latent_chosen_elsewhere() -> None:
    codes, factors, clusters = _samples(0, strength=3)
    half = clusters < 10
    held_out = held_out_correlation(codes, factors, half)
    eta = np.sqrt(eta_squared(codes[~half], factors[~half]))
    assert list(held_out.by_factor.values()) == pytest.approx([eta[4, 0], eta[9, 1]])


def test_luck_is_gone_on_held_out_samples() -> None:
    codes, factors, clusters = _samples(0, strength=0)
    chosen = factor_correlations(codes, factors)
    held_out = held_out_correlation(codes, factors, clusters < 10)
    assert chosen.value is not None
    assert held_out.value is not None
    assert held_out.value < chosen.value


def test_what_does_not_vary_has_reasons() -> None:
    codes, factors, clusters = _samples(0, strength=1)
    dead = np.zeros_like(codes)
    score = factor_correlations(dead, factors)
    assert correlation_null(dead, factors, score).score is None
    assert correlation_interval(dead, factors, clusters).score.low is None
    held_out = held_out_correlation(dead, factors, clusters < 10)
    assert held_out.value is None
    assert "no latent varies" in (held_out.reason or "")
    population = factor_vae_population(dead, factors, n_permutations=5)
    assert factor_vae_population_null(dead, factors, population).score is None
