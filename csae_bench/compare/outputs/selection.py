"""Which metrics are shown where there is no room for all, and in which order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import cache

from csae_bench.compare.metrics import METRICS
from csae_bench.compare.model import Comparison, Family, Report

ALWAYS = ("core.l0",)
"""Nothing can be judged without it."""
N_OF_EVAL = 2
"""Metrics of each eval that are shown, the ones that say most."""


def in_order(metrics: Iterable[str]) -> list[str]:
    """Each metric once: by eval, those that say most first; core before all others."""
    return sorted(dict.fromkeys(metrics), key=rank)


def headlines(metrics: Iterable[str]) -> list[str]:
    """Of each eval the first metrics, and those that are always shown; in order."""
    by_eval: dict[str, list[str]] = defaultdict(list)
    for metric in in_order(metrics):
        of_eval = by_eval[_eval(metric)]
        if len(of_eval) < N_OF_EVAL or metric in ALWAYS:
            of_eval.append(metric)
    return [metric for of_eval in by_eval.values() for metric in of_eval]


def shown(report: Report) -> list[str]:
    """Metrics to show where not all can be: those that a rule looks at, then the headlines."""
    there = {comparison.metric for comparison in report.comparisons}
    ruled = {finding.metric for finding in report.findings} & there
    named = headlines(measured(metric) for metric in there)
    return in_order([*ruled, *(metric for metric in there if measured(metric) in named)])


def measured(metric: str) -> str:
    """The metric without where on a sparsity curve it was read: `@l0=18`."""
    return metric.partition("@")[0]


def pairs(
    comparisons: Iterable[Comparison],
) -> dict[tuple[Family, Family], list[Comparison]]:
    """(candidate, baseline) -> their comparisons in the order of metrics; pairs by name."""
    by_pair: dict[tuple[Family, Family], list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        by_pair[comparison.candidate, comparison.baseline].append(comparison)
    return {
        pair: sorted(by_pair[pair], key=lambda comparison: rank(comparison.metric))
        for pair in sorted(by_pair)
    }


def telling(pair: Iterable[Comparison], shown: Collection[str]) -> list[Comparison]:
    """The rows of a pair to show: of an eval without a difference none, its reason says it all."""
    rows = list(pair)
    evals = {_eval(row.metric) for row in rows if row.difference is not None}
    return [row for row in rows if row.metric in shown and _eval(row.metric) in evals]


def undecided_reasons(pair: Iterable[Comparison], shown: Collection[str]) -> list[str]:
    """Why metrics of a pair that are to be shown have no difference; each reason once."""
    rows = (row for row in pair if row.metric in shown and row.difference is None)
    return list(dict.fromkeys(reason for row in rows for reason in row.reasons))


def rank(metric: str) -> tuple[int, str, int, str]:
    """Key that sorts metrics: core, then the other evals, in each those that say most first."""
    order = _order()
    of_eval = _eval(metric)
    place = order.get(measured(metric), len(order))
    return (of_eval != "core", of_eval, place, metric)


def _eval(metric: str) -> str:
    return metric.partition(".")[0]


@cache
def _order() -> dict[str, int]:
    return {spec.name: i for i, spec in enumerate(METRICS)}
