"""Comparisons whose truth is known: how often a verdict is wrong, and how often it is missed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from csae_bench.comparison.comparisons import CompareOptions, compare
from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Comparison, Verdict
from csae_bench.comparison.statistics import paired_test, smallest_detectable
from tests.unit.comparison.planted import readings, results

METRICS = (
    "core.ce_loss_score",
    "core.corrected.explained_variance",
    "mig.value_mig",
    "factor_vae.factor_vae_population",
    "feature_correlation.explicitness",
)
N_SEEDS = 5
N_TRIALS = 2000
SEED_SD = 0.036
"""Standard deviation of value MIG between seeds, as it was found in a trial."""

Noise = Callable[[np.random.Generator, int], np.ndarray]

NOISES: dict[str, Noise] = {
    "normal": lambda rng, n: rng.normal(size=n),
    # df 3: the variance is just finite; scaled to 1
    "heavy tails": lambda rng, n: rng.standard_t(3, size=n) / math.sqrt(3),
}


def _trial(rng: np.random.Generator, noise: Noise, drop: float = 0.0) -> tuple[Comparison, ...]:
    """A comparison of paired seeds; the first metric of the candidate is lower by `drop`."""
    baseline: dict[str, list[float]] = {}
    candidate: dict[str, list[float]] = {}
    for metric in METRICS:
        shared = 0.5 + SEED_SD * noise(rng, N_SEEDS)
        change = -drop if metric == METRICS[0] else 0.0
        baseline[metric] = shared.tolist()
        candidate[metric] = (shared + change + SEED_SD / 2 * noise(rng, N_SEEDS)).tolist()
    sets = (results(readings("topk", values)) for values in (candidate, baseline))
    return compare(*sets, CompareOptions()).comparisons


def test_the_metrics_of_this_test_gate() -> None:
    assert all(lookup(metric).may_gate for metric in METRICS)


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_without_a_difference_at_most_6_percent_of_reports_raise_any_alarm(noise: Noise) -> None:
    rng = np.random.default_rng(0)
    # an alarm is one metric or more, of all that gate, called better or worse
    alarms = sum(
        any(row.verdict in (Verdict.BETTER, Verdict.WORSE) for row in _trial(rng, noise))
        for _ in range(N_TRIALS)
    )
    assert alarms / N_TRIALS <= 0.06
    # a gate that never speaks would pass the line above
    assert alarms > 0


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_a_drop_of_twice_the_smallest_detectable_is_caught_at_least_95_percent_of_the_time(
    noise: Noise,
) -> None:
    rng = np.random.default_rng(1)
    # a sample with exactly the spread that the differences have
    sample = np.array([-1.0, -1.0, 0.0, 1.0, 1.0]) * SEED_SD / 2
    drop = smallest_detectable(paired_test(sample, alpha=0.05), alpha=0.05, n_tests=len(METRICS))
    assert drop is not None
    caught = sum(_trial(rng, noise, drop=2 * drop)[0].verdict is Verdict.WORSE for _ in range(400))
    assert caught / 400 >= 0.95


@pytest.mark.slow
def test_the_drop_that_a_report_says_it_would_find_is_found_when_doubled() -> None:
    rng = np.random.default_rng(2)
    noise = NOISES["normal"]
    caught = 0
    for _ in range(400):
        said = _trial(rng, noise)[0].smallest_detectable
        assert said is not None
        caught += _trial(rng, noise, drop=2 * said)[0].verdict is Verdict.WORSE
    # what a report says rests on its own five pairs: it is low by half in one report of twenty
    assert caught / 400 >= 0.85


def test_one_seed_alone_is_inconclusive_where_the_noise_between_seeds_is_not_known() -> None:
    new, old = (
        results(readings("a", {m: [value] for m in METRICS}, conditions={"model": "gemma"}))
        for value in (0.1, 0.9)
    )
    comparison = compare(new, old, CompareOptions())
    assert {row.verdict for row in comparison.comparisons} == {Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(
    ("drop", "allowed"),
    [(3.0, {Verdict.INCONCLUSIVE, Verdict.EQUIVALENT}), (6.0, {Verdict.WORSE})],
)
def test_one_seed_is_judged_by_the_noise_that_is_known(drop: float, allowed: set[Verdict]) -> None:
    # a difference has sqrt(2) standard deviations between seeds: 3 are p = .034, which Holm over
    # the metrics that gate does not let stand, 6 are p = 2e-5
    old = {metric: [0.9] for metric in METRICS}
    new = {metric: [0.9 - drop * sd] for metric in METRICS
           if (sd := lookup(metric).sd_between_seeds) is not None}  # fmt: skip
    assert len(new) > 2
    rows = compare(
        results(readings("a", new)), results(readings("a", old)), CompareOptions()
    ).comparisons
    assert {row.verdict for row in rows if row.metric in new} <= allowed
