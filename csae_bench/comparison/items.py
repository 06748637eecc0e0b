"""Intervals over an eval's own items - its factors, questions or datasets - from the details.

Beside the verdict and apart from it: seeds say whether another training would differ, items whether
other factors or questions would.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from csae_bench.comparison.matching import Match, Member, Seed, paired_seeds
from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Comparison, Family, Interval, Reading
from csae_bench.comparison.statistics import bootstrap_interval

ITEMS = {
    "factor": "factors",
    "question": "questions",
    "question_id": "questions",
    "dataset_name": "datasets",
    "first_letter": "letters",
}
"""Key of a detail that says which item it is of -> what such items are called."""

Details = Sequence[Mapping[str, Any]]
ItemValues = dict[str, float]
"""Item -> the metric's value on it."""


def with_items(
    comparisons: Sequence[Comparison],
    matches: Sequence[Match],
    read: Callable[[Reading], Details],
    alpha: float,
) -> tuple[Comparison, ...]:
    """Return the comparisons, with `by_item` if both sides' details have the metric per item.

    Args:
        read: the details of a result; called once for each result that may have such, and never
            for core, whose details are of latents.
    """
    by_families = {
        (match.candidate.family, match.baseline.family): match
        for match in matches
        if match.candidate is not None
    }
    kept: dict[Path, Details] = {}

    def details(reading: Reading) -> Details:
        if reading.path not in kept:
            kept[reading.path] = read(reading)
        return kept[reading.path]

    return tuple(_with_item(comparison, by_families, details, alpha) for comparison in comparisons)


def item_values(details: Details, field: str) -> tuple[str, ItemValues]:
    """Return the kind of the items, and the value of `field` of each item that has one."""
    for key, kind in ITEMS.items():
        values = {
            str(detail[key]): float(detail[field])
            for detail in details
            if isinstance(detail.get(key), str | int) and _is_number(detail.get(field))
        }
        if values:
            return kind, values
    return "", {}


def item_interval(
    pairs: Sequence[tuple[Details, Details]], field: str, *, target: float | None, alpha: float
) -> Interval | None:
    """Bootstrap an interval of the mean difference over items, each its mean over pairs of seeds.

    In the metric's units; with a target, of the distances to it. None if fewer than two items
    are in all details.
    """
    by_item: dict[str, list[float]] = defaultdict(list)
    kind = ""
    for mine, theirs in pairs:
        kind, ours = item_values(mine, field)
        _, base = item_values(theirs, field)
        for item in ours.keys() & base.keys():
            by_item[item].append(_judged(ours[item], target) - _judged(base[item], target))
    # sorted: a resample must not depend on the order of a set
    means = [
        math.fsum(differences) / len(differences)
        for _, differences in sorted(by_item.items())
        if len(differences) == len(pairs)
    ]
    if len(means) < 2:
        return None
    ends = bootstrap_interval(np.array(means), alpha=alpha)
    return replace(ends, method=f"bootstrap over {len(means)} {kind}")


def _with_item(
    comparison: Comparison,
    by_families: Mapping[tuple[Family, Family], Match],
    details: Callable[[Reading], Details],
    alpha: float,
) -> Comparison:
    match = by_families.get((comparison.candidate, comparison.baseline))
    if comparison.difference is None or match is None or match.candidate is None:
        return comparison
    pairs = _readings(match.candidate, match.baseline, comparison.metric)
    if not pairs or pairs[0][0].eval_name == "core":
        return comparison
    interval = item_interval(
        [(details(mine), details(theirs)) for mine, theirs in pairs],
        comparison.metric.rpartition(".")[2],
        target=lookup(comparison.metric).target,
        alpha=alpha,
    )
    return replace(comparison, by_item=interval)


def _readings(candidate: Member, baseline: Member, metric: str) -> list[tuple[Reading, Reading]]:
    mine: Mapping[Seed, Reading] = candidate.of_metric(metric)
    theirs: Mapping[Seed, Reading] = baseline.of_metric(metric)
    return [(mine[a], theirs[b]) for a, b in paired_seeds(mine, theirs)[0]]


def _judged(value: float, target: float | None) -> float:
    return value if target is None else abs(value - target)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
