"""Conditions under which results were measured, and which of them differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Condition, Family, Report

MAX_VALUES = 6
"""Values of one condition that are listed before the rest is counted."""


class ConditionValues(NamedTuple):
    """One condition of an eval."""

    name: str
    values: tuple[tuple[str, int], ...]
    """Each value with the number of results that have it, the most frequent first."""
    n_more: int
    """Values that are not listed."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Conditions of one eval's results."""

    eval_name: str
    n_results: int
    shared: tuple[ConditionValues, ...]
    """Conditions that are the same in all."""
    differing: tuple[ConditionValues, ...]


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A condition in which a candidate and its baseline differ."""

    candidate: Family
    baseline: Family
    name: str
    ours: str
    theirs: str
    metrics: tuple[str, ...]
    """Titles of the metrics that depend on it."""
    is_allowed: bool


def conditions(report: Report) -> tuple[Conditions, ...]:
    """Return the conditions of each eval, over candidate and baseline together."""
    sides = (report.candidate, report.baseline)
    readings = [reading for side in sides if side is not None for reading in side.readings]
    counted: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    n_results = Counter(reading.eval_name for reading in readings)
    for reading in readings:
        for name, value in reading.conditions.items():
            counted[reading.eval_name][name][_text(value)] += 1
    return tuple(
        _of_eval(eval_name, n_results[eval_name], counted[eval_name])
        for eval_name in sorted(n_results)
    )


def mismatches(report: Report) -> tuple[Mismatch, ...]:
    """Return each condition that differs from the baseline's, once per pair and value."""
    metrics: dict[tuple[Family, Family, str, str, str], list[str]] = defaultdict(list)
    for row in report.comparisons:
        for name, (ours, theirs) in row.mismatches.items():
            key = (row.candidate, row.baseline, name, _text(ours), _text(theirs))
            metrics[key].append(lookup(row.metric).title)
    return tuple(
        Mismatch(
            candidate=candidate,
            baseline=baseline,
            name=name,
            ours=ours,
            theirs=theirs,
            metrics=tuple(titles),
            is_allowed=name in report.allowed_mismatches,
        )
        for (candidate, baseline, name, ours, theirs), titles in metrics.items()
    )


def _of_eval(eval_name: str, n_results: int, counted: dict[str, Counter[str]]) -> Conditions:
    shared: list[ConditionValues] = []
    differing: list[ConditionValues] = []
    for name, values in sorted(counted.items()):
        n_unknown = n_results - values.total()
        if n_unknown:
            values["not known"] += n_unknown
        listed = tuple(values.most_common(MAX_VALUES))
        measured = ConditionValues(name, listed, len(values) - len(listed))
        (shared if len(values) == 1 else differing).append(measured)
    return Conditions(
        eval_name=eval_name,
        n_results=n_results,
        shared=tuple(shared),
        differing=tuple(differing),
    )


def _text(value: Condition) -> str:
    return "not known" if value is None else str(value)
