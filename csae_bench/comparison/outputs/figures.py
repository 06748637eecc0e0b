"""Figures as data: Pareto curves and forest plots, drawn by html/ and plots.py."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Comparison, Family, Reading, Report, ResultSet, Verdict
from csae_bench.comparison.outputs import selection
from csae_bench.comparison.outputs.values import valid
from csae_bench.comparison.outputs.wording import family_text
from csae_bench.evals.metric_rows import Direction

L0 = "core.l0"
PARETO_OF_CORE: tuple[tuple[str, ...], ...] = (
    ("core.ce_loss_score",),
    ("core.corrected.explained_variance", "core.explained_variance"),
)
"""Metrics of core that are drawn against L0; for each, the first that any SAE has."""

_LOG_FROM = 4.0
"""L0 is drawn on a log scale where its largest is at least so many times its smallest."""
_PADDING = 0.05
"""Share of the range left free at both ends of an axis."""

_GRAVITY = (
    Verdict.WORSE,
    Verdict.BETTER,
    Verdict.EQUIVALENT,
    Verdict.INCONCLUSIVE,
)


_OURS = re.compile(r" [0-9a-f]{8}$")
"""A curve whose SAEs have a configuration of ours."""


class Point(NamedTuple):
    """One SAE in a Pareto figure."""

    l0: float
    value: float
    sae_id: str


@dataclass(frozen=True, kw_only=True)
class ParetoCurve:
    """SAEs that differ in their sparsity and seed alone."""

    name: str
    is_baseline: bool
    points: tuple[Point, ...]
    """One a seed, by L0."""
    means: tuple[tuple[float, float], ...]
    """L0 and value of each family, means over its seeds, by L0: what the line joins."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Limits and ticks of an axis."""

    low: float
    high: float
    ticks: tuple[float, ...]
    is_log: bool = False

    def place(self, value: float) -> float:
        """Return the position of a value: 0 at the low end, 1 at the high."""
        if self.is_log:
            low, high = math.log(self.low), math.log(self.high)
            return (math.log(value) - low) / (high - low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, kw_only=True)
class Pareto:
    """One metric against L0."""

    metric: str
    title: str
    curves: tuple[ParetoCurve, ...]
    x: Axis
    y: Axis
    n_left_out: int
    """SAEs with this metric that are not drawn: they are invalid or have no L0."""


@dataclass(frozen=True, kw_only=True)
class Forest:
    """All comparisons on one metric, with their intervals."""

    metric: str
    title: str
    direction: str
    rows: tuple[Comparison, ...]
    """Those with a difference, regressions first."""
    n_without: int
    """Comparisons on this metric without a difference: invalid, missing or not comparable."""
    x: Axis


def paretos(report: Report) -> tuple[Pareto, ...]:
    """Return a figure for core's main metric and for the first score of every other eval.

    With --metrics, for each that it names. Nothing is drawn of SAEs without an L0.
    """
    sides = ((report.candidate, False), (report.baseline, True))
    there = [(results, is_baseline) for results, is_baseline in sides if results is not None]
    readings = [reading for results, _ in there for reading in results.readings]
    if all(reading.values.get(L0) is None for reading in readings):
        return ()
    drawn = (_pareto(metrics, there) for metrics in _against_l0(report, readings))
    return tuple(figure for figure in drawn if figure is not None)


def forests(comparisons: Iterable[Comparison]) -> tuple[Forest, ...]:
    """Return a figure for each metric with any difference, in the order given.

    A metric at several places of a sparsity curve has one figure.
    """
    by_metric: dict[str, list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        by_metric[selection.measured(comparison.metric)].append(comparison)
    return tuple(
        _forest(metric, of_metric)
        for metric, of_metric in by_metric.items()
        if any(comparison.difference is not None for comparison in of_metric)
    )


def row_name(row: Comparison, releases: set[str]) -> str:
    """Return whose row of a forest plot it is, and where on a sparsity curve."""
    name = family_text(row.candidate, releases)
    place = row.metric.removeprefix(selection.measured(row.metric))
    return f"{name} at L0 {place.rpartition('=')[2]}" if place else name


def axis(values: Sequence[float], *, is_log: bool = False, n_ticks: int = 6) -> Axis:
    """Return an axis that holds all values, with a margin and round ticks."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    low, high = min(values), max(values)
    if is_log:
        room = (high / low) ** _PADDING
        low, high = low / room, high * room
        locator = LogLocator(base=10, subs=(1, 2, 5), numticks=n_ticks)
    else:
        room = (high - low) * _PADDING or abs(high) * _PADDING or 1.0
        low, high = low - room, high + room
        locator = MaxNLocator(n_ticks, steps=[1, 2, 5, 10])
    ticks = [float(tick) for tick in locator.tick_values(low, high)]
    return Axis(
        low=low,
        high=high,
        ticks=tuple(tick for tick in ticks if low <= tick <= high),
        is_log=is_log,
    )


def _against_l0(report: Report, readings: Iterable[Reading]) -> list[tuple[str, ...]]:
    """Return the metrics to draw; for each, the first that any SAE has."""
    there = selection.chosen(report, chain.from_iterable(reading.values for reading in readings))
    if report.shown_metrics:
        return [(metric,) for metric in there if metric != L0]
    scores: dict[str, list[str]] = {}
    for metric in there:
        if lookup(metric).direction is not Direction.NONE:
            scores.setdefault(metric.partition(".")[0], []).append(metric)
    scores.pop("core", None)
    n = selection.N_OF_EVAL
    return [*PARETO_OF_CORE, *(tuple(of_eval[:n]) for of_eval in scores.values())]


def _pareto(metrics: tuple[str, ...], sides: list[tuple[ResultSet, bool]]) -> Pareto | None:
    for metric in metrics:
        curves: list[ParetoCurve] = []
        n_with = 0
        for results, is_baseline in sides:
            # results under other conditions, such as a control's, have no place among these
            first = [r for r in results.readings if not r.family.variant]
            n_with += sum(r.values.get(metric) is not None for r in first)
            curves += _curves(metric, valid(first), is_baseline)
        points = list(chain.from_iterable(curve.points for curve in curves))
        if points:
            l0 = [point.l0 for point in points]
            is_log = min(l0) > 0 and max(l0) / min(l0) >= _LOG_FROM
            return Pareto(
                metric=metric,
                title=lookup(metric).title,
                curves=tuple(curves),
                x=axis(l0, is_log=is_log),
                y=axis([point.value for point in points]),
                n_left_out=n_with - len(points),
            )
    return None


def _curves(metric: str, readings: list[Reading], is_baseline: bool) -> list[ParetoCurve]:
    l0 = {
        (r.family.release, r.sae_id): value
        for r in readings
        if (value := r.values.get(L0)) is not None
    }
    by_curve: dict[str, dict[Family, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for reading in readings:
        value, key = reading.values.get(metric), (reading.family.release, reading.sae_id)
        if value is not None and key in l0:
            of_family = by_curve[reading.curve or str(reading.family)][reading.family]
            of_family.append(Point(l0[key], value, reading.sae_id))
    releases = {reading.family.release for reading in readings}
    return [
        ParetoCurve(
            name=_curve_name(name, list(families), releases),
            is_baseline=is_baseline,
            points=tuple(sorted(chain.from_iterable(families.values()))),
            means=tuple(sorted(_mean(points) for points in families.values())),
        )
        for name, families in sorted(by_curve.items())
    ]


def _curve_name(curve: str, families: list[Family], releases: set[str]) -> str:
    """Return the SAE's name if it is alone; else the curve's, without a release common to all.

    A curve of ours ends in a hash, which says nothing to a person: it is named for its first SAE.
    """
    first = family_text(min(families), releases)
    if len(families) == 1:
        return first
    if _OURS.search(curve):
        return f"{first} and {len(families) - 1} more"
    return curve.removeprefix(f"{next(iter(releases))} ") if len(releases) == 1 else curve


def _mean(points: list[Point]) -> tuple[float, float]:
    n = len(points)
    return math.fsum(p.l0 for p in points) / n, math.fsum(p.value for p in points) / n


def _forest(metric: str, comparisons: list[Comparison]) -> Forest:
    rows = sorted(
        (comparison for comparison in comparisons if comparison.difference is not None),
        key=lambda row: (
            _GRAVITY.index(row.verdict) if row.verdict in _GRAVITY else len(_GRAVITY),
            row.candidate,
            row.baseline,
            selection.rank(row.metric),
        ),
    )
    ends = [0.0]
    for row in rows:
        ends.append(row.difference or 0.0)
        if row.interval is not None:
            ends += [row.interval.low, row.interval.high]
    spec = lookup(metric)
    return Forest(
        metric=metric,
        title=spec.title,
        direction=spec.direction,
        rows=tuple(rows),
        n_without=len(comparisons) - len(rows),
        x=axis(ends),
    )
