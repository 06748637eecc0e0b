"""Codes with signs, as AbsTopK's: a negative code is a firing like any other."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.metrics.data import Codes
from csae_bench.metrics.discretise import equal_width_bins, sparse_bins
from csae_bench.metrics.factor_vae import factor_vae, factor_vae_population
from csae_bench.metrics.mig import mig, mig_sup
from tests.unit.metrics.codes import Array, firing_at, grid, one_per_value

FEWER = {"n_train": 2000, "n_eval": 1000}


def three_values() -> tuple[Array, Array]:
    """A latent for each factor of three values: -1, silent and 1."""
    factors = np.random.default_rng(0).permutation(grid(3, 4, 4))
    return factors - 1.0, factors


def test_a_latent_for_each_of_three_values_by_its_sign_scores_1() -> None:
    codes, factors = three_values()
    for metric in (mig, mig_sup):
        assert metric(codes, factors).value == pytest.approx(1, abs=0.01)
    assert factor_vae(codes, factors, **FEWER).value == 1
    assert factor_vae_population(codes, factors).value == 1


def test_without_the_negative_half_the_same_latents_score_less() -> None:
    """A third of the samples apart from the others: H(1/3) / log 3 of the information."""
    codes, factors = three_values()
    share = (np.log(3) - 2 / 3 * np.log(2)) / np.log(3)
    assert mig(codes.clip(min=0), factors).value == pytest.approx(share, abs=0.01)


def test_mig_sup_ignores_which_latents_are_negated() -> None:
    """Quantile bins are half-open, so that latents of few values alone have the very same bins."""
    rng = np.random.default_rng(1)
    factors = rng.permutation(grid(3, 3, 20))
    codes = np.concatenate([one_per_value(factors), firing_at(0.2, len(factors), 5, rng) > 0], 1)
    signs = rng.choice([-1.0, 1.0], codes.shape[1])
    assert mig_sup(codes * signs, factors).value == pytest.approx(mig_sup(codes, factors).value)


def test_rates_and_bins_keep_negative_codes_and_zeros_apart() -> None:
    column = np.repeat([-2.0, -1.0, 0.0, 0.0, 3.0], 10)[:, None]
    assert Codes.of(column).firing_rates.tolist() == [0.6]
    sparse = sparse_bins(column)
    assert sparse.n_bins.tolist() == [4]
    of_negative = sparse.bins[sparse.indices < 20]
    assert sparse.zero_bin[0] not in of_negative
    assert len({*of_negative.tolist()}) == 2
    wide = equal_width_bins(column, 5)  # of width 1: [-2, -1), [-1, 0), [0, 1), ..., [2, 3]
    assert wide.n_bins.tolist() == [4]
