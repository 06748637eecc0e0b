"""Positions of a figure's points, lines and ticks, in the units of its SVG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from csae_bench.comparison.model import Comparison
from csae_bench.comparison.outputs import wording
from csae_bench.comparison.outputs.figures import Axis, Forest, Pareto, ParetoCurve, row_name

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 54, 12, 10, 40
N_COLOURS = 7
N_SHAPES = 4
MAX_ROWS = 30
"""Rows of a forest plot; the table has the rest."""


class Tick(NamedTuple):
    """A tick and its label."""

    at: float
    label: str


class Mark(NamedTuple):
    """One SAE."""

    x: float
    y: float
    label: str


@dataclass(frozen=True, kw_only=True)
class DrawnCurve:
    """A curve's line and marks."""

    colour: int
    shape: int
    is_baseline: bool
    line: str
    """Points of a polyline; empty for a single family."""
    marks: tuple[Mark, ...]


@dataclass(frozen=True, kw_only=True)
class DrawnPareto:
    """A Pareto figure in SVG units."""

    title: str
    label: str
    """Description for readers who cannot see the figure."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    curves: tuple[tuple[int, DrawnCurve], ...]
    """Each with its number in the legend."""
    is_log: bool
    n_left_out: int


class LegendEntry(NamedTuple):
    """A curve in the legend of all Pareto figures."""

    name: str
    colour: int
    shape: int
    is_baseline: bool


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One row of a forest plot; places in percent of its width."""

    candidate: str
    baseline: str
    verdict: str
    symbol: str
    text: str
    at: float
    low: float | None
    high: float | None
    margin_low: float | None
    margin_width: float | None


@dataclass(frozen=True, kw_only=True)
class DrawnForest:
    """A forest plot; places in percent of its width."""

    title: str
    direction: str
    zero: float
    ticks: tuple[Tick, ...]
    strips: tuple[Strip, ...]
    n_more: int
    n_without: int


def legend(figures: tuple[Pareto, ...]) -> tuple[LegendEntry, ...]:
    """Return every curve of the figures once, with its own colour and shape while they last."""
    names = dict.fromkeys(
        (curve.name, curve.is_baseline) for figure in figures for curve in figure.curves
    )
    return tuple(
        LegendEntry(name, i % N_COLOURS, i // N_COLOURS % N_SHAPES, is_baseline)
        for i, (name, is_baseline) in enumerate(names)
    )


def draw_pareto(figure: Pareto, entries: tuple[LegendEntry, ...]) -> DrawnPareto:
    """Return the figure, its curves coloured as in the legend."""
    number = {(entry.name, entry.is_baseline): i for i, entry in enumerate(entries)}
    curves = [(number[curve.name, curve.is_baseline], curve) for curve in figure.curves]
    n_points = sum(len(curve.points) for curve in figure.curves)
    return DrawnPareto(
        title=figure.title,
        label=(
            f"{figure.title} against L0: {wording.counted(n_points, 'SAE')} on "
            f"{wording.counted(len(curves), 'curve')}"
        ),
        x_ticks=tuple(Tick(_x(figure.x, tick), _tick(tick)) for tick in figure.x.ticks),
        y_ticks=tuple(Tick(_y(figure.y, tick), _tick(tick)) for tick in figure.y.ticks),
        curves=tuple((i, _curve(curve, entries[i], figure)) for i, curve in curves),
        is_log=figure.x.is_log,
        n_left_out=figure.n_left_out,
    )


def draw_forest(figure: Forest, releases: set[str]) -> DrawnForest:
    """Return the figure with its first rows."""
    return DrawnForest(
        title=figure.title,
        direction=figure.direction,
        zero=_percent(figure.x, 0.0),
        ticks=tuple(Tick(_percent(figure.x, tick), _tick(tick)) for tick in figure.x.ticks),
        strips=tuple(_strip(row, figure.x, releases) for row in figure.rows[:MAX_ROWS]),
        n_more=max(0, len(figure.rows) - MAX_ROWS),
        n_without=figure.n_without,
    )


def _curve(curve: ParetoCurve, entry: LegendEntry, figure: Pareto) -> DrawnCurve:
    line = [f"{_x(figure.x, l0)},{_y(figure.y, value)}" for l0, value in curve.means]
    return DrawnCurve(
        colour=entry.colour,
        shape=entry.shape,
        is_baseline=entry.is_baseline,
        line=" ".join(line) if len(line) > 1 else "",
        marks=tuple(
            Mark(
                _x(figure.x, point.l0),
                _y(figure.y, point.value),
                f"{point.sae_id}\nL0 {wording.number(point.l0)}, "
                f"{figure.title} {wording.number(point.value)}",
            )
            for point in curve.points
        ),
    )


def _strip(row: Comparison, x: Axis, releases: set[str]) -> Strip:
    interval, margin = row.interval, row.margin
    edges = None
    if margin is not None:
        edges = [min(max(_percent(x, edge), 0.0), 100.0) for edge in (-margin, margin)]
    return Strip(
        candidate=row_name(row, releases),
        baseline=wording.family_text(row.baseline, releases),
        verdict=row.verdict.value,
        symbol=wording.SYMBOLS[row.verdict],
        text=wording.difference(row),
        at=_percent(x, row.difference or 0.0),
        low=None if interval is None else _percent(x, interval.low),
        high=None if interval is None else _percent(x, interval.high),
        margin_low=None if edges is None else edges[0],
        margin_width=None if edges is None else round(edges[1] - edges[0], 2),
    )


def _x(axis: Axis, value: float) -> float:
    return round(LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT), 1)


def _y(axis: Axis, value: float) -> float:
    return round(HEIGHT - BOTTOM - axis.place(value) * (HEIGHT - TOP - BOTTOM), 1)


def _percent(axis: Axis, value: float) -> float:
    return round(100 * axis.place(value), 2)


def _tick(value: float) -> str:
    return f"{value:.6g}"
