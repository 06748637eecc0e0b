"""Scores of each family: means over its seeds with t intervals, invalid SAEs left out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from csae_bench.comparison.model import Family, Interval, Reading, ResultSet


@dataclass(frozen=True, kw_only=True)
class FamilyValue:
    """A family's mean on one metric."""

    mean: float
    n: int
    """Number of seeds that it is the mean of."""
    interval: Interval | None
    """Two-sided t interval of the mean over seeds; None for a single seed."""


def family_values(results: ResultSet, alpha: float) -> dict[Family, dict[str, FamilyValue]]:
    """Return family -> metric -> mean over seeds, without undefined or invalid values."""
    collected: dict[Family, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for reading in valid(results.readings):
        for metric, value in reading.values.items():
            if value is not None:
                collected[reading.family][metric].append(value)
    return {
        family: {metric: _mean(values, alpha) for metric, values in of_metric.items()}
        for family, of_metric in sorted(collected.items())
    }


def valid(readings: Iterable[Reading]) -> list[Reading]:
    """Return the readings of SAEs that no result calls invalid, in the same order."""
    readings = list(readings)
    invalid = {(r.family, r.sae_id) for r in readings if r.invalid}
    return [r for r in readings if (r.family, r.sae_id) not in invalid]


def _mean(values: list[float], alpha: float) -> FamilyValue:
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return FamilyValue(mean=mean, n=1, interval=None)
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    half = _t_quantile(n, alpha) * math.sqrt(variance / n)
    return FamilyValue(
        mean=mean,
        n=n,
        interval=Interval(
            low=mean - half, high=mean + half, level=1 - alpha, method="t over seeds"
        ),
    )


@cache
def _t_quantile(n: int, alpha: float) -> float:
    from scipy.stats import t

    return float(t.ppf(1 - alpha / 2, n - 1))
