"""Resamples of whole clusters."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.metrics.bootstrap import cluster_bootstrap, cluster_draws
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
