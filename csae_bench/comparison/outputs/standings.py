"""Figures of each SAE's scores, for evals with neither an L0 nor a difference to draw."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Report
from csae_bench.comparison.outputs import selection
from csae_bench.comparison.outputs.figures import Axis, axis
from csae_bench.comparison.outputs.values import FamilyValue, family_values
from csae_bench.comparison.outputs.wording import family_text
from csae_bench.evals.metric_rows import Direction


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One SAE in a figure."""

    name: str
    is_baseline: bool
    value: FamilyValue


@dataclass(frozen=True, kw_only=True)
class Standings:
    """One metric of all SAEs."""

    metric: str
    title: str
    direction: str
    rows: tuple[Standing, ...]
    """The SAEs, the best first; by name if neither way is better."""
    x: Axis


def standings(report: Report, drawn: Collection[str]) -> tuple[Standings, ...]:
    """Return a figure for each shown metric of several SAEs, for evals that no other figure has.

    With --metrics, for each metric of them that no other figure has.

    Args:
        drawn: metrics that other figures have.
    """
    sides = ((report.candidate, False), (report.baseline, True))
    values = {
        (family, is_baseline): of_family
        for results, is_baseline in sides
        if results is not None
        for family, of_family in family_values(results, report.alpha).items()
    }
    releases = {family.release for family, _ in values}
    metrics = selection.first(report, {m for of_family in values.values() for m in of_family})
    if not report.shown_metrics:
        evals = {metric.partition(".")[0] for metric in drawn}
        metrics = [metric for metric in metrics if metric.partition(".")[0] not in evals]
    tables: list[Standings] = []
    for metric in metrics:
        rows = [
            Standing(
                name=family_text(family, releases),
                is_baseline=is_baseline,
                value=of_family[metric],
            )
            for (family, is_baseline), of_family in values.items()
            if metric in of_family
        ]
        if len(rows) > 1 and metric not in drawn:
            tables.append(_figure(metric, rows))
    return tuple(tables)


def _figure(metric: str, rows: list[Standing]) -> Standings:
    spec = lookup(metric)

    def distance(row: Standing) -> float:
        mean = row.value.mean
        return {
            Direction.HIGHER: -mean,
            Direction.LOWER: mean,
            Direction.TARGET: abs(mean - (spec.target or 0.0)),
            Direction.NONE: 0.0,
        }[spec.direction]

    ends: list[float] = []
    for row in rows:
        interval = row.value.interval
        ends += [row.value.mean] if interval is None else [interval.low, interval.high]
    return Standings(
        metric=metric,
        title=spec.title,
        direction=spec.direction,
        rows=tuple(sorted(rows, key=lambda row: (distance(row), row.name, row.is_baseline))),
        x=axis(ends),
    )
