"""Resamples of whole clusters."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.metrics.bootstrap import centred, cluster_bootstrap, cluster_draws
from csae_bench.metrics.data import MetricInputError


def test_clusters_are_drawn_with_replacement() -> None:
    draws = cluster_draws(5, 1000, 0)
    assert draws.shape == (1000, 5)
    assert np.all(draws.sum(1) == 5)
    assert 0.8 < draws.mean(0).min() <= draws.mean(0).max() < 1.2


def test_the_mean_of_normal_clusters_has_its_textbook_interval() -> None:
    means = np.random.default_rng(0).normal(size=200)
    drawn = cluster_bootstrap(lambda w: np.array([w @ means / w.sum()]), 200)
    low, high = np.quantile(drawn, [0.025, 0.975])
    half = 1.96 * means.std() / np.sqrt(200)
    # 1000 resamples leave some 5% of noise in either end
    assert (high - low) / 2 == pytest.approx(half, rel=0.12)


def test_fewer_than_1000_resamples_are_refused() -> None:
    with pytest.raises(MetricInputError, match="n_resamples is 999"):
        cluster_draws(5, 999, 0)


def test_centred_resamples_lie_about_the_score_and_undefined_ones_stay() -> None:
    drawn = np.array([[0.5, np.nan, 0.9, np.nan], [0.7, 0.2, 0.99, np.nan]])
    moved = centred(drawn, np.array([0.5, 0.3, np.nan, 0.1]))
    expected = [[0.4, np.nan, 0.9, np.nan], [0.6, 0.3, 0.99, np.nan]]
    np.testing.assert_allclose(moved, expected)
