"""Correlations of latents with factors and with true features."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.stats.contingency import association

from csae_bench.metrics.contingency import contingency
from csae_bench.metrics.correlation import (
    correlations,
    cramers_v,
    factor_correlations,
    mean_correlation_coefficient,
)
from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.discretise import sparse_bins
from csae_bench.metrics.errors import MetricInputError
from tests.unit.metrics.code_worlds import random, rare, scalar


def test_pearson_agrees_with_numpy_and_eta_is_its_magnitude() -> None:
    rng = np.random.default_rng(0)
    factor = rng.integers(0, 2, 500)
    codes = np.hstack([rare(0, 500, 5), rng.normal(size=(500, 5)) + 1e4 + factor[:, None]])
    correlated = factor_correlations(codes, {"tense": factor})
    expected = [np.corrcoef(column, factor)[0, 1] for column in codes.T]
    np.testing.assert_allclose(correlated.pearson["tense"], expected, atol=1e-9)
    np.testing.assert_allclose(correlated.eta[:, 0], np.abs(expected), atol=1e-9)


def test_eta_agrees_with_its_definition() -> None:
    codes, factors = random(1)
    correlated = factor_correlations(codes, factors)
    for k, factor in enumerate(factors.T):
        means = np.stack([codes[factor == v].mean(0) for v in range(4)])
        between = np.mean((means[factor] - codes.mean(0)) ** 2, axis=0)
        np.testing.assert_allclose(correlated.eta[:, k], np.sqrt(between / codes.var(0)), rtol=1e-9)
    assert correlated.pearson == {}


def test_cramers_v_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (300, 6))
    factors = np.stack([rng.integers(0, v, 300) + codes[:, 0] for v in (2, 3)], axis=1)
    result = cramers_v(contingency(sparse_bins(codes), Factors.of(factors)))
    for j, z in enumerate(codes.T):
        for k, factor in enumerate(factors.T):
            counts = np.histogram2d(z, factor, bins=(np.arange(5), np.arange(factor.max() + 2)))[0]
            expected = association(counts[:, counts.sum(0) > 0].astype(int), method="cramer")
            assert result[j, k] == pytest.approx(expected, rel=1e-9)


def test_one_latent_a_factor_is_fully_correlated() -> None:
    score = factor_correlations(*scalar())
    assert score.value == pytest.approx(1)
    assert score.best_latents == {"factor_0": 0, "factor_1": 1, "factor_2": 2}
    np.testing.assert_allclose(np.diag(score.cramers_v), 1)


def test_latents_that_never_vary_have_no_row() -> None:
    codes, factors = scalar()
    padded = np.hstack([np.zeros((len(codes), 2)), codes, np.ones((len(codes), 1))])
    correlated = factor_correlations(padded, factors)
    assert list(correlated.latents) == [2, 3, 4]
    assert correlated.best_latents["factor_0"] == 2
    assert correlated.value == factor_correlations(codes, factors).value


def test_what_cannot_be_correlated_has_a_reason() -> None:
    codes, factors = scalar()
    assert factor_correlations(codes * 0, factors).reason == "no latent varies over the samples"
    constant = factor_correlations(codes, np.zeros(len(codes)))
    assert constant.value is None
    assert constant.best_latents == {"factor_0": None}
    assert not constant.eta.any()
    assert not constant.cramers_v.any()


def test_a_value_that_no_sample_has_is_no_value() -> None:
    factors = Factors(np.array([[0], [2], [0], [2]]), ("tense",), (("past", "gone", "present"),))
    correlated = factor_correlations([[0.0], [1], [0], [1]], factors)
    np.testing.assert_allclose(correlated.pearson["tense"], [1])
    np.testing.assert_allclose(correlated.cramers_v, [[1]])


@pytest.mark.parametrize("seed", range(3))
def test_mcc_recovers_a_permutation_whatever_the_scale_and_sign(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rare(seed, 3000, 60)
    order = rng.permutation(60)
    codes = features[:, order] * rng.lognormal(0, 3, 60) * rng.choice([-1, 1], 60)
    mcc = mean_correlation_coefficient(codes, sparse.csc_array(features))
    assert mcc.value == pytest.approx(1)
    matched = np.array([mcc.latents[f"feature_{k}"] for k in range(60)])
    np.testing.assert_array_equal(order[matched], np.arange(60))


def test_mcc_gives_each_feature_a_latent_of_its_own() -> None:
    feature = np.random.default_rng(0).normal(size=(1000, 1))
    twins = np.hstack([feature, feature])
    mcc = mean_correlation_coefficient(twins[:, :1], twins)
    assert mcc.value == pytest.approx(0.5)
    assert sorted(mcc.latents.values(), key=str) == [0, None]


@pytest.mark.parametrize("seed", range(2))
def test_mcc_of_unrelated_codes_is_small(seed: int) -> None:
    mcc = mean_correlation_coefficient(rare(seed, 5000, 20), rare(seed + 9, 5000, 20))
    assert mcc.value is not None
    assert mcc.value < 0.05


def test_mcc_leaves_out_features_that_do_not_vary() -> None:
    features = np.hstack([rare(0, 200, 2, rate=0.3), np.zeros((200, 1))])
    mcc = mean_correlation_coefficient(features, features, names=["a", "b", "silent"])
    assert mcc.value == pytest.approx(1)
    assert mcc.by_feature["silent"] is None
    nothing = mean_correlation_coefficient(features, np.ones((200, 2)))
    assert nothing.reason == "no true feature varies over the samples"
    dead = mean_correlation_coefficient(np.zeros((200, 2)), features)
    assert dead.reason == "no latent varies over the samples"


def test_mcc_of_mismatched_input_is_an_error() -> None:
    with pytest.raises(MetricInputError, match="codes of 4 samples and true features of 3"):
        mean_correlation_coefficient(np.eye(4), np.eye(3))
    with pytest.raises(MetricInputError, match="1 names for 4 true features"):
        mean_correlation_coefficient(np.eye(4), np.eye(4), names=["a"])


def test_correlations_agree_with_numpy_at_any_magnitude_and_offset() -> None:
    left, right = rare(0, 400, 7, rate=0.3) * 1e30, rare(1, 400, 5, rate=0.3) * 1e-30 + 1e-25
    result = correlations(Codes.of(left), Codes.of(right))
    expected = np.corrcoef(left.T / 1e30, (right.T - 1e-25) * 1e30)[:7, 7:]
    # the offset is 1e5 times the deviations, and takes five of sixteen digits
    np.testing.assert_allclose(result, expected, atol=1e-9)
