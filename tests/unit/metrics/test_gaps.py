"""Which latent is the best: the same on every machine."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.metrics.gaps import factor_gaps, first_best, sup_gaps


@pytest.mark.parametrize("later", [0.3, 0.1 + 0.2])
def test_of_those_equal_up_to_rounding_the_first_is_the_best(later: float) -> None:
    values = np.array([[0.2, 0.3, later, 0.1]])
    assert first_best(values, 1).tolist() == [1]
    assert first_best(values.T, 0).tolist() == [1]


def test_a_larger_one_is_the_best_however_little_above_rounding() -> None:
    assert first_best(np.array([[0.3, 0.3 + 1e-9]]), 1).tolist() == [1]


def test_missing_values_lose_where_there_are_others() -> None:
    values = np.array([[-np.inf, -np.inf, -0.5], [-np.inf, -np.inf, -np.inf]])
    assert first_best(values, 1).tolist() == [2, 0]


def test_a_gap_between_equals_is_never_below_0() -> None:
    shares = np.array([[0.3], [0.1 + 0.2]])  # the second is larger by one bit
    gaps = factor_gaps(shares, np.ones(1))
    assert gaps.best.tolist() == [0]
    assert 0 <= gaps.gaps[0] < 1e-12


def test_a_latent_between_two_factors_counts_for_the_first() -> None:
    gaps = sup_gaps(np.array([[0.3, 0.1 + 0.2]]), np.ones(2))
    assert 0 <= gaps.by_factor[0] < 1e-12
    assert np.isnan(gaps.by_factor[1])
