"""The figures as PNG and SVG: Pareto curves, forest plots, and the runs of an experiment.

Equal reports give equal bytes: no date is written, and SVG's ids have a fixed salt.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csae_bench.comparison.model import Report, Verdict
from csae_bench.comparison.outputs import selection, wording
from csae_bench.comparison.outputs.experiment import draw_experiment
from csae_bench.comparison.outputs.figures import (
    Axis,
    Forest,
    Pareto,
    forests,
    paretos,
    row_name,
)
from csae_bench.comparison.outputs.lettering import drawable
from csae_bench.comparison.outputs.overview import stamp
from csae_bench.comparison.outputs.saving import written
from csae_bench.comparison.outputs.standings import Standings, standings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EXPERIMENT = "experiment_results.png"
MAX_ROWS = 40
"""Rows of a forest plot."""
MAX_FILE_NAME = 150
"""Characters of a metric in the name of a file."""
MAX_STAMP = 200
"""Characters of the note below a figure of results that were measured differently."""
MAX_LEGEND = 24
"""Curves that the legend names."""

_FORMATS = ("png", "svg")
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6b6b6b")
"""Okabe and Ito's, which colour-blind readers can tell apart."""
_SHAPES = ("o", "s", "^", "D")
_VERDICT_COLOURS = {
    Verdict.BETTER: "#00629b",
    Verdict.WORSE: "#b5470a",
    Verdict.EQUIVALENT: "#2f6f6a",
}
_NEUTRAL = "#646c77"
_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.hashsalt": "csae-bench",
    "figure.dpi": 150,
    "savefig.dpi": 150,
    # a run may be called a$b
    "text.parse_math": False,
}


def write_plots(report: Report, folder: Path) -> list[Path]:
    """Write all figures that the report allows, and return their paths.

    `pareto_<metric>`, `forest_<metric>` and `values_<metric>`, each as PNG and SVG, and
    `experiment_results.png` where there are run records.

    Raises:
        UsageError: the folder cannot be written.
    """
    shown = set(selection.shown(report))
    rows = sorted(
        (row for row in report.comparisons if row.metric in shown),
        key=lambda row: selection.rank(row.metric),
    )
    sides = [side for side in (report.candidate, report.baseline) if side is not None]
    releases = {reading.family.release for side in sides for reading in side.readings}
    paths: list[Path] = []
    with _style():
        curves = paretos(report)
        for figure in curves:
            drawn = _stamped(_pareto(figure), report)
            paths += _save(drawn, folder, f"pareto_{_file_name(figure.metric)}")
        differences = forests(rows)
        for figure in differences:
            drawn = _stamped(_forest(figure, releases), report)
            paths += _save(drawn, folder, f"forest_{_file_name(figure.metric)}")
        named = {figure.metric for figure in (*curves, *differences)}
        for figure in standings(report, named):
            drawn = _stamped(_standings(figure), report)
            paths += _save(drawn, folder, f"values_{_file_name(figure.metric)}")
        if report.candidate.runs:
            paths.append(folder / EXPERIMENT)
            _write(draw_experiment(report.candidate.runs), paths[-1])
    return paths


@contextmanager
def _style() -> Generator[None, None, None]:
    import matplotlib

    # not what the process was left with: SAE-Bench's graphing_utils sets a font size of 20
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def _pareto(figure: Pareto) -> Figure:
    drawn, axes = _figure(6.4, 4.2)
    for i, curve in enumerate(figure.curves):
        colour = _COLOURS[i % len(_COLOURS)]
        shape = _SHAPES[i // len(_COLOURS) % len(_SHAPES)]
        if len(curve.means) > 1:
            axes.plot(*zip(*curve.means, strict=True), color=colour, linewidth=1,
                      linestyle="--" if curve.is_baseline else "-")  # fmt: skip
        named = i < MAX_LEGEND
        axes.scatter(
            [point.l0 for point in curve.points],
            [point.value for point in curve.points],
            marker=shape,
            s=22,
            facecolors="white" if curve.is_baseline else colour,
            edgecolors=colour,
            label=_name(curve.name, curve.is_baseline) if named else None,
            zorder=3,
        )
    _set_axis(axes, "x", figure.x)
    _set_axis(axes, "y", figure.y)
    axes.set_xlabel("L0, log scale" if figure.x.is_log else "L0")
    axes.set_title(drawable(figure.title))
    axes.grid(axis="y", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    notes = []
    if len(figure.curves) > MAX_LEGEND:
        notes.append(f"and {wording.counted(len(figure.curves) - MAX_LEGEND, 'more curve')}")
    if figure.n_left_out:
        notes.append(f"{wording.counted(figure.n_left_out, 'SAE')} not drawn:\ninvalid or no L0")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=7.5,
                title="\n".join(notes) or None, title_fontsize=7)  # fmt: skip
    return drawn


def _forest(figure: Forest, releases: set[str]) -> Figure:
    rows = figure.rows[:MAX_ROWS]
    drawn, axes = _figure(7.2, 1.1 + 0.28 * len(rows))
    margins = {row.margin for row in rows}
    if len(margins) == 1 and (margin := rows[0].margin) is not None:
        axes.axvspan(-margin, margin, color="#e8eaed", linewidth=0)
    axes.axvline(0, color="#888888", linewidth=0.8)
    for place, row in enumerate(rows):
        colour = _VERDICT_COLOURS.get(row.verdict, _NEUTRAL)
        if row.interval is not None:
            ends = (row.interval.low, row.interval.high)
            axes.plot(ends, (place, place), color=colour, linewidth=1.3, marker="|", markersize=6)
        axes.plot([row.difference or 0.0], [place], marker="o", markersize=4.5, color=colour)
        axes.annotate(
            f"{wording.SYMBOLS[row.verdict]} {row.verdict}   {wording.difference(row)}",
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            color=colour,
        )
    names = [
        f"{drawable(row_name(row, releases))}\n"
        f"against {drawable(wording.family_text(row.baseline, releases))}"
        for row in rows
    ]
    axes.set_yticks(range(len(rows)), names, fontsize=6.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    _set_axis(axes, "x", figure.x)
    rest = len(figure.rows) - len(rows)
    more = f" ({wording.counted(rest, 'more comparison')} not drawn)" if rest else ""
    axes.set_title(f"{drawable(figure.title)}: candidate minus baseline{more}")
    return drawn


def _standings(figure: Standings) -> Figure:
    rows = figure.rows[:MAX_ROWS]
    drawn, axes = _figure(6.4, 1.1 + 0.22 * len(rows))
    for place, row in enumerate(rows):
        interval = row.value.interval
        if interval is not None:
            ends = (interval.low, interval.high)
            axes.plot(ends, (place, place), color=_NEUTRAL, linewidth=1.3, marker="|", markersize=6)
        axes.plot([row.value.mean], [place], marker="o", markersize=4.5, color=_COLOURS[0],
                  markerfacecolor="white" if row.is_baseline else _COLOURS[0])  # fmt: skip
        axes.annotate(
            wording.mean_text(row.value.mean, interval), (1.02, place),
            xycoords=("axes fraction", "data"), va="center", fontsize=8,
        )  # fmt: skip
    names = [_name(row.name, row.is_baseline) for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="y", color="#eeeeee", linewidth=0.5)
    axes.set_axisbelow(True)
    _set_axis(axes, "x", figure.x)
    rest = len(figure.rows) - len(rows)
    more = f" ({wording.counted(rest, 'more SAE')} not drawn)" if rest else ""
    axes.set_title(f"{drawable(figure.title)}{more}")
    return drawn


def _name(name: str, is_baseline: bool) -> str:
    return f"{drawable(name)} (baseline)" if is_baseline else drawable(name)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    # not pyplot, which keeps every figure and picks a window system
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _set_axis(axes: Axes, which: str, limits: Axis) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    if limits.is_log:
        axes.set(**{f"{which}scale": "log"})
    axes.set(**{f"{which}lim": (limits.low, limits.high)})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(list(limits.ticks)))
    axis.set_major_formatter(FixedFormatter([f"{tick:.6g}" for tick in limits.ticks]))
    axis.set_minor_locator(NullLocator())


def _stamped(figure: Figure, report: Report) -> Figure:
    text = stamp(report)
    if text is not None:
        figure.text(0.0, -0.02, drawable(text, MAX_STAMP), fontsize=7, color="#b3001e", va="top")
    return figure


def _save(figure: Figure, folder: Path, name: str) -> list[Path]:
    paths = [folder / f"{name}.{suffix}" for suffix in _FORMATS]
    for path in paths:
        _write(figure, path)
    return paths


def _write(figure: Figure, path: Path) -> None:
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    with written(path) as temporary, warnings.catch_warnings():
        # such as that labels leave little room: the picture is there, and nobody can act on it
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(temporary, bbox_inches="tight", metadata=metadata)


def _file_name(metric: str) -> str:
    """Return the metric's name, with its digest if it is too long or no valid file name."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", metric)
    if plain == metric and len(plain) <= MAX_FILE_NAME:
        return plain
    digest = hashlib.sha256(metric.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain[:MAX_FILE_NAME]}_{digest}"
