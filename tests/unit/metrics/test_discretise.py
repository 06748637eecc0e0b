"""Bins of codes."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.metrics.data import MetricInputError
from csae_bench.metrics.discretise import equal_width_bins, sparse_bins
from tests.unit.metrics.codes import Array, dense_bins, firing_at


def same_parts(first: Array, second: Array) -> bool:
    """Whether two binnings differ at most in how bins are numbered."""
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    return len(pairs) == len(set(first.tolist())) == len(set(second.tolist()))


def test_non_zeros_fall_into_quantiles_and_zeros_into_a_bin_of_their_own() -> None:
    magnitudes = np.random.default_rng(0).permutation(np.arange(1, 101))
    codes = np.concatenate([np.zeros(60), magnitudes])[:, None]
    bins = dense_bins(sparse_bins(codes, 4))[:, 0]
    assert np.unique(bins[:60]).size == 1
    assert np.array_equal(np.bincount(bins), [60, 25, 25, 25, 25])
    assert np.array_equal(bins[60:], 1 + (magnitudes - 1) // 25)


def test_up_to_32_values_have_a_bin_each_and_33_have_quantiles() -> None:
    few, many = np.tile(np.arange(33), 4), np.tile(np.arange(34), 4)
    assert sparse_bins(few[:, None]).n_bins.tolist() == [33]
    assert sparse_bins(many[:, None]).n_bins.tolist() == [5]


def test_a_rare_latent_whose_firings_all_differ_has_quantiles() -> None:
    codes = np.concatenate([np.zeros(980), np.arange(1, 21)])[:, None]
    assert np.bincount(dense_bins(sparse_bins(codes))[:, 0]).tolist() == [980, 5, 5, 5, 5]
    assert sparse_bins(np.tile(codes, (2, 1))).n_bins.tolist() == [21]


def test_equal_codes_share_a_bin() -> None:
    codes = np.repeat(np.arange(1, 41), np.arange(1, 41))[:, None].astype(float)
    bins = dense_bins(sparse_bins(codes))[:, 0]
    assert all(np.unique(bins[codes[:, 0] == value]).size == 1 for value in range(1, 41))


def test_one_quantile_asks_whether_the_latent_fires() -> None:
    codes = firing_at(0.4, 200, 3, np.random.default_rng(0))
    assert np.array_equal(dense_bins(sparse_bins(codes, 1)), (codes != 0) * 1)


def test_negative_codes_have_bins_of_their_own() -> None:
    codes = np.array([-2.0, 0.0, 1.0, -2.0, 1.0])[:, None]
    assert dense_bins(sparse_bins(codes))[:, 0].tolist() == [1, 0, 2, 1, 2]


@pytest.mark.parametrize("seed", range(3))
def test_sparse_bins_survive_rescaling_by_any_factor(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = firing_at(0.3, 400, 20, rng)
    scaled = codes * rng.lognormal(0, 30, 20)
    assert np.array_equal(dense_bins(sparse_bins(codes)), dense_bins(sparse_bins(scaled)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_bins", [1, 2, 7, 20])
def test_equal_width_bins_are_those_of_numpy(seed: int, n_bins: int) -> None:
    rng = np.random.default_rng(seed)
    columns = [
        rng.normal(size=500),
        rng.integers(0, 7, 500) * 1.0,
        rng.integers(-3, 21, 500) / 20,
        np.zeros(500),
        np.full(500, 0.1),
        rng.lognormal(0, 3, 500),
        -rng.lognormal(0, 3, 500) * (rng.random(500) < 0.1),
        rng.integers(0, 101, 500) * 0.1,
        1000 + rng.random(500),
    ]
    codes = np.stack(columns, 1)
    result = dense_bins(equal_width_bins(codes, n_bins))
    for latent, column in enumerate(columns):
        expected = np.digitize(column, np.histogram(column, n_bins)[1][:-1])
        assert same_parts(result[:, latent], expected), latent


def test_equal_width_bins_take_any_magnitude() -> None:
    codes = np.random.default_rng(0).normal(size=(100, 1))
    plain = dense_bins(equal_width_bins(codes))
    for exponent in (-1000, 1000):
        assert np.array_equal(dense_bins(equal_width_bins(np.ldexp(codes, exponent))), plain)


def test_empty_bins_are_left_out() -> None:
    codes = np.array([0.0, 1, 100, 100])[:, None]
    assert equal_width_bins(codes).n_bins.tolist() == [2]


def test_chosen_latents_keep_their_bins() -> None:
    binned = sparse_bins(firing_at(0.3, 100, 6, np.random.default_rng(0)))
    chosen = np.array([4, 1])
    assert np.array_equal(dense_bins(binned.latents(chosen)), dense_bins(binned)[:, chosen])


def test_fewer_than_one_bin_is_refused() -> None:
    with pytest.raises(MetricInputError, match="n_quantiles is 0"):
        sparse_bins(np.ones((2, 2)), 0)
    with pytest.raises(MetricInputError, match="n_bins is 0"):
        equal_width_bins(np.ones((2, 2)), 0)
