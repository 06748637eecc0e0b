"""Selection and order of the metrics that are shown if there is no room for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import Any

from csae_bench.comparison import ranking
from csae_bench.comparison.model import Comparison, Family, Report, Verdict

ALWAYS = ("core.l0",)
"""Nothing can be judged without it."""
N_OF_EVAL = 2
"""Number of metrics of each eval that are shown, the main ones first."""


def in_order(metrics: Iterable[str], undefined: Collection[str] = ()) -> list[str]:
    """Return each metric once: by eval, the main ones first; core before all others.

    Args:
        undefined: metrics that no result has a value of; of an eval they come last.
    """

    def key(metric: str) -> tuple[Any, ...]:
        *of_eval, place = rank(metric)
        return *of_eval, measured(metric) in undefined, place

    return sorted(dict.fromkeys(metrics), key=key)


def headlines(metrics: Iterable[str], undefined: Collection[str] = ()) -> list[str]:
    """Select each eval's first metrics, and those that are always shown; in order."""
    by_eval: dict[str, list[str]] = defaultdict(list)
    for metric in in_order(metrics, undefined):
        of_eval = by_eval[_eval(metric)]
        if len(of_eval) < N_OF_EVAL or metric in ALWAYS:
            of_eval.append(metric)
    return [metric for of_eval in by_eval.values() for metric in of_eval]


def without_value(report: Report) -> frozenset[str]:
    """Return the metrics that results of the report name and none has a value of."""
    sides = [side for side in (report.candidate, report.baseline) if side is not None]
    named: set[str] = set()
    defined: set[str] = set()
    for reading in (reading for side in sides for reading in side.readings):
        named.update(reading.values)
        defined.update(metric for metric, value in reading.values.items() if value is not None)
    return frozenset(named - defined)


def chosen(report: Report, metrics: Iterable[str]) -> list[str]:
    """Select the metrics that --metrics asks for, in order; all of them without it."""
    return in_order((m for m in metrics if is_shown(m, report)), without_value(report))


def is_shown(metric: str, report: Report) -> bool:
    """Return whether --metrics names the metric, at any L0 of a curve; True without it."""
    globs = report.shown_metrics
    return not globs or any(fnmatchcase(measured(metric), glob) for glob in globs)


def shown_rows(report: Report) -> list[Comparison]:
    """Select the comparisons that --metrics asks for; all of them without it."""
    return [row for row in report.comparisons if is_shown(row.metric, report)]


def first(report: Report, metrics: Iterable[str]) -> list[str]:
    """Select metrics if not all can be shown: those of --metrics, or the headlines."""
    if report.shown_metrics:
        return chosen(report, metrics)
    return headlines(metrics, without_value(report))


def shown(report: Report) -> list[str]:
    """Select the compared metrics to show if not all can be.

    Without --metrics those that a rule looks at and the headlines.
    """
    there = {comparison.metric for comparison in report.comparisons}
    if report.shown_metrics:
        return chosen(report, there)
    ruled = {finding.metric for finding in report.findings} & there
    named = set(first(report, {measured(metric) for metric in there}))
    return in_order(
        [*ruled, *(metric for metric in there if measured(metric) in named)], without_value(report)
    )


def measured(metric: str) -> str:
    """Return the metric without the place on a sparsity curve where it was read: `@l0=18`."""
    return metric.partition("@")[0]


def pairs(
    comparisons: Iterable[Comparison],
) -> dict[tuple[Family, Family], list[Comparison]]:
    """Return (candidate, baseline) -> their comparisons in the order of metrics; pairs by name."""
    by_pair: dict[tuple[Family, Family], list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        by_pair[comparison.candidate, comparison.baseline].append(comparison)
    return {pair: sorted(by_pair[pair], key=_place) for pair in sorted(by_pair)}


def telling(pair: Iterable[Comparison], shown: Collection[str]) -> list[Comparison]:
    """Return a pair's rows to show; an eval without any difference has none, only a reason."""
    rows = list(pair)
    evals = {_eval(row.metric) for row in rows if row.difference is not None}
    return [row for row in rows if row.metric in shown and _eval(row.metric) in evals]


def undecided_reasons(pair: Iterable[Comparison], shown: Collection[str]) -> list[str]:
    """Return why metrics of a pair that are to be shown have no difference; each reason once."""
    rows = (row for row in pair if row.metric in shown and row.difference is None)
    return list(dict.fromkeys(reason for row in rows for reason in row.reasons))


def rank(metric: str) -> tuple[bool, str, tuple[Any, ...]]:
    """Return a key that sorts metrics: core, then the other evals, the main metrics first."""
    of_eval = _eval(metric)
    return of_eval != "core", of_eval, ranking.rank(metric)


def _place(comparison: Comparison) -> tuple[Any, ...]:
    *of_eval, place = rank(comparison.metric)
    return *of_eval, comparison.verdict is Verdict.UNMEASURED, place


def _eval(metric: str) -> str:
    return metric.partition(".")[0]
