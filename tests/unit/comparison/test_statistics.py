"""csae_bench/comparison/statistics.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from csae_bench.comparison.model import Interval
from csae_bench.comparison.statistics import (
    KNOWN_SD,
    PAIRED_T,
    holm,
    is_equivalent,
    paired_test,
    sign_flip_p,
    smallest_detectable,
)

FIVE = np.array([0.021, 0.004, 0.013, -0.002, 0.017])
TWELVE = np.random.default_rng(0).normal(0.5, 1, size=12)

# Both are the same formula in floating point.
EXACT = 1e-12


def test_the_interval_and_p_of_pairs_are_those_of_scipys_t_test() -> None:
    test, expected = paired_test(FIVE, alpha=0.05), stats.ttest_1samp(FIVE, 0)
    bounds = expected.confidence_interval(0.95)
    assert test.interval is not None
    assert test.interval.method == PAIRED_T
    assert (test.interval.low, test.interval.high) == pytest.approx(tuple(bounds), abs=EXACT)
    assert test.p == pytest.approx(expected.pvalue, abs=EXACT)


@pytest.mark.parametrize("differences", [FIVE, TWELVE])
def test_the_sign_flip_p_is_scipys_exact_one(differences: np.ndarray) -> None:
    expected = stats.permutation_test(
        (differences,),
        lambda d: abs(d.mean()),
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
    )
    assert sign_flip_p(differences) == pytest.approx(expected.pvalue, abs=EXACT)


def test_the_sign_flip_p_of_five_pairs_cannot_reach_a_twentieth() -> None:
    assert sign_flip_p(np.ones(5)) == 2 / 2**5


def test_the_sampled_sign_flip_p_is_near_the_normal_one() -> None:
    differences = np.random.default_rng(1).normal(0.2, 1, size=60)
    result = sign_flip_p(differences)
    # a share of 2000 flips near .1 has a standard error of .007
    assert result == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.025)


def test_the_bootstrap_interval_is_near_scipys() -> None:
    expected = stats.bootstrap((TWELVE,), np.mean, method="percentile", rng=0).confidence_interval
    test = paired_test(TWELVE, alpha=0.05).bootstrap
    assert test is not None
    # a quantile of 2000 resamples has a standard error of about .02 here
    assert (test.low, test.high) == pytest.approx(tuple(expected), abs=0.08)


@pytest.mark.parametrize("n", [1, 2])
def test_few_pairs_use_the_known_sd_between_seeds(n: int) -> None:
    test = paired_test(np.full(n, 0.03), alpha=0.05, seed_sd=0.01)
    half = stats.norm.ppf(0.975) * math.sqrt(2) * 0.01 / math.sqrt(n)
    assert test.interval is not None
    assert test.interval.method == KNOWN_SD
    assert test.interval.high - test.mean == pytest.approx(half, abs=EXACT)
    expected = 2 * stats.norm.sf(0.03 / (math.sqrt(2) * 0.01 / math.sqrt(n)))
    assert test.p == pytest.approx(expected, abs=EXACT)


def test_three_pairs_measure_the_spread_themselves() -> None:
    test = paired_test(FIVE[:3], alpha=0.05, seed_sd=1.0)
    assert test.interval is not None
    assert test.interval.method == PAIRED_T


def test_one_pair_says_nothing_without_a_known_sd() -> None:
    test = paired_test(np.array([0.5]), alpha=0.05)
    assert (test.interval, test.p, test.sd) == (None, None, None)
    assert (test.permutation_p, test.bootstrap) == (None, None)
    assert smallest_detectable(test, alpha=0.05, n_tests=1) is None


def test_equal_differences_have_an_interval_without_width() -> None:
    test = paired_test(np.full(4, 0.1), alpha=0.05)
    assert test.interval is not None
    assert test.interval.low == test.interval.high == pytest.approx(0.1)
    assert test.p == 0
    assert paired_test(np.zeros(4), alpha=0.05).p == 1


def test_rounding_is_no_spread() -> None:
    test = paired_test(np.array([0.8, 0.7, 0.9]) - np.array([0.75, 0.65, 0.85]), alpha=0.05)
    assert test.is_constant


def test_differences_that_are_not_finite_are_refused() -> None:
    for differences in ([], [math.nan], [math.inf, 1.0]):
        with pytest.raises(ValueError, match="finite"):
            paired_test(np.array(differences), alpha=0.05)


@pytest.mark.parametrize("outlier", [0.0, 40.0])
def test_from_ten_pairs_on_the_sign_flip_test_and_the_bootstrap_object(outlier: float) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=11)
    centred = paired_test(np.append(noise - noise.mean(), outlier), alpha=0.05)
    assert centred.objections(0.05)
    clear = paired_test(np.append(noise, outlier) + 5, alpha=0.05)
    assert clear.objections(0.05) == ()


def test_below_ten_pairs_neither_objects() -> None:
    assert paired_test(np.array([1.0, -1.0, 0.5]), alpha=0.05).objections(0.05) == ()


# few: statsmodels collects all garbage at every call
@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=40))
def test_holm_is_statsmodels_holm(p_values: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    expected = multipletests(p_values, method="holm")[1] if p_values else []
    assert holm(p_values) == pytest.approx(list(expected), abs=EXACT)


@pytest.mark.parametrize(("n", "n_tests"), [(3, 1), (5, 1), (5, 20), (10, 7), (30, 40)])
def test_the_smallest_detectable_difference_has_80_percent_power(n: int, n_tests: int) -> None:
    rng = np.random.default_rng(0)
    test = paired_test(rng.normal(size=n), alpha=0.05)
    detectable = smallest_detectable(test, alpha=0.05, n_tests=n_tests)
    assert detectable is not None
    assert test.sd is not None
    samples = rng.normal(detectable / test.sd, 1, size=(40_000, n))
    rejected = stats.ttest_1samp(samples, 0, axis=1).pvalue <= 0.05 / n_tests
    # a share of 40,000 near .8 has a standard error of .002
    assert rejected.mean() == pytest.approx(0.8, abs=0.008)


def test_the_smallest_detectable_difference_of_one_seed_uses_the_known_sd() -> None:
    test = paired_test(np.array([0.0]), alpha=0.05, seed_sd=0.01)
    smallest = smallest_detectable(test, alpha=0.05, n_tests=1)
    sd = math.sqrt(2) * 0.01
    # at the edge of 80% power of a z test, the other tail left out
    assert smallest == pytest.approx((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * sd, abs=EXACT)


def test_equivalent_is_an_interval_wholly_within_the_margin() -> None:
    interval = Interval(low=-0.01, high=0.004, level=0.95, method=PAIRED_T)
    assert is_equivalent(interval, 0.01)
    assert not is_equivalent(interval, 0.009)
