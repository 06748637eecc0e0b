"""The runs of an experiment in four subplots: steps, final loss, dictionary size, hyperparameters.

The subplots and colours are those of the experiment that this project starts from. There a run that
had failed was a bar of height 0; here it is marked as failed, and what is not known says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from csae_bench.comparison.model import RunReading
from csae_bench.comparison.outputs.lettering import drawable
from csae_bench.comparison.outputs.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEPS, LOSS, SIZE = "skyblue", "lightgreen", "salmon"
LEARNING_RATE, SPARSITY = "tab:blue", "tab:orange"
_BAD = "#b3001e"
_MUTED = "#777777"
_MAX_LABELS = 40
"""Largest number of runs that are named on an x-axis; beyond it, only some are."""

_MAX_NAME = 44
"""Characters of a run's name on an x-axis before it is cut."""

_CROWDED = 14
"""Number of runs above which labels are vertical."""

Value = Callable[[RunReading], float | None]


def draw_experiment(runs: Sequence[RunReading]) -> Figure:
    """Draw a figure of the runs, in the order given, under the caller's rc settings."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = min(40.0, max(9.0, 0.55 * len(runs) + 4))
    longest = max((min(len(run.sae_id), _MAX_NAME) for run in runs), default=0)
    figure = Figure(figsize=(width, 7.0 + 0.07 * longest), layout="constrained")
    FigureCanvasAgg(figure)
    (steps, loss), (size, settings) = figure.subplots(2, 2)
    _bars(steps, runs, lambda run: run.executed_steps, "Training steps completed", STEPS)
    _planned(steps, runs)
    _bars(loss, runs, lambda run: run.final_loss, "Final loss", LOSS)
    _bars(size, runs, lambda run: run.d_sae, "Dictionary size", SIZE, of_training=False)
    _lines(settings, runs)
    return figure


def _bars(
    axes: Axes,
    runs: Sequence[RunReading],
    value: Value,
    title: str,
    colour: str,
    *,
    of_training: bool = True,
) -> None:
    """Draw one bar per run; a hatched bar with a cross if it failed, a word if it is unknown.

    `of_training`: whether the value is an outcome of the training, which a failed run has not.
    """
    axes.set_title(title)
    values = [value(run) for run in runs]
    top = max((v for v in values if v is not None and v > 0), default=0.0) or 1.0
    bottom = min((v for v in values if v is not None), default=0.0)
    axes.set_ylim(min(0.0, bottom * 1.25), top * 1.25)
    if not any(values):
        axes.set_yticks([])  # a scale of nothing
    for place, (run, known) in enumerate(zip(runs, values, strict=True)):
        is_bad = of_training and run.status in ("failed", "invalid")
        if known is not None and (known != 0 or not is_bad):
            axes.bar(
                place, known, color=colour, hatch="///" if is_bad else None,
                edgecolor=_BAD if is_bad else "none",
            )  # fmt: skip
            _write_value(axes, place, known)
        if is_bad:
            _write_status(axes, place, run.status, known, is_crowded=len(runs) > _CROWDED)
        elif known is None:
            _write_absence(axes, place, _absence(run) if of_training else "not known")
    _name_runs(axes, runs)


def _write_value(axes: Axes, place: int, known: float, prefix: str = "") -> None:
    text = str(known) if isinstance(known, int) else number(known)
    axes.annotate(
        f"{prefix}{text}", (place, known), xytext=(0, 2 if known >= 0 else -2),
        textcoords="offset points", ha="center", va="bottom" if known >= 0 else "top", fontsize=7.5,
    )  # fmt: skip


def _write_status(
    axes: Axes, place: int, status: str, known: float | None, *, is_crowded: bool
) -> None:
    """Draw a hatched column with a cross, so that no bar of height 0 passes for a result."""
    if not known:
        axes.axvspan(
            place - 0.4, place + 0.4, facecolor="none", edgecolor=_BAD, hatch="///", alpha=0.25,
            linewidth=0,
        )  # fmt: skip
    where = ("data", "axes fraction")
    height = 0.42 if not known else 0.12
    # a cross that is drawn, not a letter: fonts differ
    axes.plot([place], [height], marker="x", markersize=11, markeredgewidth=2.5, color=_BAD,
              transform=axes.get_xaxis_transform(), clip_on=False)  # fmt: skip
    axes.annotate(
        drawable(status), (place, height + 0.07), xycoords=where, ha="center", va="bottom",
        fontsize=8.5, color=_BAD, fontweight="bold", rotation=90 if is_crowded else 0,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )  # fmt: skip


def _planned(axes: Axes, runs: Sequence[RunReading]) -> None:
    """Draw a line at each run's planned value, if the run did something else."""
    for place, run in enumerate(runs):
        planned = run.planned_steps
        if not planned or planned == run.executed_steps:
            continue
        axes.hlines(planned, place - 0.4, place + 0.4, color=_MUTED, linestyle=":", linewidth=1.5)
        axes.set_ylim(top=max(axes.get_ylim()[1], planned * 1.25))
        _write_value(axes, place, planned, "planned ")


def _lines(axes: Axes, runs: Sequence[RunReading]) -> None:
    """Plot learning rate and sparsity on one log scale: they differ by orders of magnitude."""
    axes.set_title("Hyperparameters")
    drawn = (
        ("learning rate", LEARNING_RATE, "o", [run.learning_rate for run in runs]),
        ("sparsity penalty, or k", SPARSITY, "s", [run.sparsity for run in runs]),
    )
    there: list[float] = []
    for name, colour, marker, values in drawn:
        # NaN breaks the line where a value is not known
        known = [float("nan") if value is None else value for value in values]
        axes.plot(range(len(runs)), known, color=colour, marker=marker, label=name)
        there += [value for value in values if value is not None]
    _set_scale(axes, there)
    for place, run in enumerate(runs):
        if run.learning_rate is None and run.sparsity is None:
            _write_absence(axes, place, _absence(run))
    axes.grid(axis="y", color="#dddddd", linewidth=0.5)
    axes.legend(loc="upper left", ncols=2, fontsize=8)
    _name_runs(axes, runs)


def _set_scale(axes: Axes, values: list[float]) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    positive = [value for value in values if value > 0]
    if not positive:
        axes.set_yticks([])
        return
    if len(positive) == len(values):
        axes.set_yscale("log")
        axes.set_ylim(min(positive) / 5, max(positive) * 30)
    else:  # linear below the smallest, since a penalty may be 0
        axes.set_yscale("symlog", linthresh=min(positive))
        axes.set_ylim(min(0.0, *values), max(positive) * 30)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _write_absence(axes: Axes, place: int, text: str) -> None:
    axes.annotate(
        text, (place, 0.03), xycoords=("data", "axes fraction"), rotation=90,
        ha="center", va="bottom", fontsize=8, color=_MUTED, style="italic",
    )  # fmt: skip


def _absence(run: RunReading) -> str:
    return "not trained" if run.cells.get("training") == "skipped" else "not known"


def _name_runs(axes: Axes, runs: Sequence[RunReading]) -> None:
    every = -(-len(runs) // _MAX_LABELS)
    places = range(0, len(runs), every)
    names = [drawable(runs[place].sae_id, _MAX_NAME) for place in places]
    axes.set_xticks(places, names)
    if max(map(len, names)) > (8 if len(runs) > 1 else 24):
        for label in axes.get_xticklabels():
            label.set(rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_xlim(-0.6, len(runs) - 0.4)
