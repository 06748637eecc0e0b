"""Intervals of the scores from resampled clusters."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.metrics.bootstrap import PercentileInterval
from csae_bench.metrics.data import MetricInputError
from csae_bench.metrics.factor_vae import factor_vae_population
from csae_bench.metrics.intervals import factor_vae_population_interval, mig_intervals
from csae_bench.metrics.mig import mig, mig_sup, value_mig
from tests.unit.metrics.codes import Array, firing_at, grid, one_per_value


def noisy(seed: int, n_templates: int = 12) -> tuple[Array, Array, Array]:
    """Codes whose detectors work in some templates better than in others."""
    rng = np.random.default_rng(seed)
    factors = grid(3, 4, 8)
    templates = rng.integers(n_templates, size=len(factors))
    works = rng.random(len(factors)) < rng.uniform(0.4, 1, n_templates)[templates]
    codes = np.concatenate(
        [one_per_value(factors) * works[:, None], firing_at(0.1, 648, 20, rng)], 1
    )
    return codes, factors, templates


@pytest.mark.parametrize("seed", range(3))
def test_intervals_lie_about_the_scores(seed: int) -> None:
    codes, factors, templates = noisy(seed)
    intervals = mig_intervals(codes, factors, templates, seed=seed)
    for metric in (value_mig, mig_sup):
        score, interval = metric(codes, factors), intervals[metric.__name__]
        assert score.value is not None
        assert interval.score.low is not None
        assert interval.score.high is not None
        assert 0 <= interval.score.low < score.value < interval.score.high <= 1
        assert 0.02 < interval.score.high - interval.score.low < 0.5
        assert set(interval.by_factor) == set(score.by_factor)
    assert intervals["mig"].score.low is not None
    assert intervals["mig"].settings["n_clusters"] == 12


@pytest.mark.slow
def test_many_clusters_give_the_intervals_of_few_with_their_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes, factors, templates = noisy(0)
    expected = mig_intervals(codes, factors, templates)
    monkeypatch.setattr("csae_bench.metrics.intervals.MAX_TABLE_CELLS", 1)
    intervals = mig_intervals(codes, factors, templates)
    for name in ("mig", "value_mig", "mig_sup"):
        assert intervals[name].score.low == pytest.approx(expected[name].score.low, abs=1e-9)
        assert intervals[name].score.high == pytest.approx(expected[name].score.high, abs=1e-9)


@pytest.mark.slow
def test_leaving_out_latents_that_cannot_win_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes, factors, templates = noisy(0)
    more = np.concatenate([codes, firing_at(0.02, 648, 300, np.random.default_rng(9))], 1)
    intervals = mig_intervals(more, factors, templates)["value_mig"].score
    monkeypatch.setattr("csae_bench.metrics.intervals.N_CANDIDATES", 400)
    expected = mig_intervals(more, factors, templates)["value_mig"].score
    # a latent left out may still win a runner-up's place in some resamples
    assert intervals.low == pytest.approx(expected.low, abs=0.01)
    assert intervals.high == pytest.approx(expected.high, abs=0.01)


@pytest.mark.slow
def test_correlated_prompts_widen_the_interval() -> None:
    codes, factors, templates = noisy(1, n_templates=6)
    by_template = mig_intervals(codes, factors, templates)["value_mig"].score
    by_prompt = mig_intervals(codes, factors, np.arange(len(codes)))["value_mig"].score
    assert None not in (by_template.low, by_template.high, by_prompt.low, by_prompt.high)
    assert by_template.high - by_template.low > 1.5 * (by_prompt.high - by_prompt.low)  # type: ignore[operator]


def test_an_oracle_sae_scores_1_in_every_resample() -> None:
    factors = grid(3, 4, 8)
    templates = np.arange(len(factors)) // 81
    codes = one_per_value(factors)
    intervals = mig_intervals(codes, factors, templates)
    interval = intervals["value_mig"].score
    assert (interval.low, interval.high) == (pytest.approx(1), pytest.approx(1))
    assert interval.reason is None
    score = factor_vae_population(codes, factors)
    interval = factor_vae_population_interval(codes, factors, templates, score)
    assert interval.score == PercentileInterval(low=1, high=1)


def test_the_population_forms_interval_holds_its_score() -> None:
    codes, factors, templates = noisy(0)
    factors = np.concatenate([factors, np.zeros((len(factors), 1), int)], 1)
    score = factor_vae_population(codes, factors)
    result = factor_vae_population_interval(codes, factors, templates, score)
    assert result.score.low is not None
    assert result.score.high is not None
    assert score.value is not None
    assert result.score.low <= score.value <= result.score.high
    assert result.by_factor["factor_4"].low is None


def test_one_cluster_or_a_dead_sae_has_no_interval() -> None:
    codes, factors, _ = noisy(0)
    for each, clusters in ((codes, np.zeros(648)), (np.zeros((648, 3)), np.arange(648) % 5)):
        score = factor_vae_population(each, factors)
        interval = factor_vae_population_interval(each, factors, clusters, score)
        for one in (*mig_intervals(each, factors, clusters).values(), interval):
            assert one.score.low is None
            assert one.score.reason


def test_clusters_must_fit_the_samples() -> None:
    codes, factors, templates = noisy(0)
    with pytest.raises(MetricInputError, match="clusters of 647"):
        mig_intervals(codes, factors, templates[1:])
    with pytest.raises(MetricInputError, match="level is 1"):
        mig_intervals(codes, factors, templates, level=1)


def test_the_mean_over_all_latents_is_what_mig_sups_interval_lies_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes, factors, templates = noisy(0)
    monkeypatch.setattr("csae_bench.metrics.intervals.N_SUP_LATENTS", 16)
    intervals, score = (
        mig_intervals(codes, factors, templates)["mig_sup"].score,
        mig_sup(codes, factors),
    )
    assert score.value is not None
    assert intervals.low is not None
    assert intervals.high is not None
    assert intervals.low < score.value < intervals.high
    assert mig(codes, factors).value is not None
