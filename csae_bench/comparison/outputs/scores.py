"""Scores of a result for a newcomer: each with its scale, its parts and its yardsticks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Reading
from csae_bench.comparison.outputs.selection import headlines
from csae_bench.comparison.yardsticks import yardsticks_of
from csae_bench.errors import PluginError
from csae_bench.evals.metric_rows import Direction, Metric
from csae_bench.evals.metric_values import ResultValue, names_in_comparison
from csae_bench.evals.pages import Registered, registered

SHUFFLED_FACTORS = "shuffled factors"
"""Label of the mean score under permutations of the factors."""

_LARGE = 1000


class ScaleMark(NamedTuple):
    """A number to read a score by."""

    label: str
    value: float


@dataclass(frozen=True, kw_only=True)
class ShownScore:
    """One score of an SAE."""

    metric: str
    """`mig.value_mig`."""
    title: str
    gist: str
    """What it measures, in a few words; empty if its eval does not say."""
    scale: str
    """`0 to 1, higher is better`; empty for a value that describes, without bounds."""
    bounds: tuple[float, float] | None = None
    """Ends of the scale, if it has both."""
    value: float | None
    reason: str
    """Why it has no value."""
    sd_of_eval: float | None = None
    """Standard deviation between seeds of the eval, of which the value is the mean; None: one
    seed."""
    interval: tuple[float, float] | None = None
    """Ends of its 95% interval, where the eval gives one."""
    parts: tuple[ScaleMark, ...] = ()
    """What it is made of: `best latent`, `its nearest double`."""
    held_out: float | None = None
    """The same for latents that were chosen on other samples."""
    yardsticks: tuple[ScaleMark, ...] = ()
    """What others score under the same conditions, shuffled factors last."""
    has_shipped_yardsticks: bool = False


def scores_of(reading: Reading) -> list[ShownScore]:
    """Return the scores of a result that a run shows, the one that says most first."""
    try:
        spec = registered(reading.eval_name)
    except PluginError:  # compare says in its warnings that the package cannot be imported
        spec = None
    shown = [] if spec is None else list(_of_rows(reading, spec))
    # SAE-Bench's own results have none of the corrected values
    return shown or [_plain(reading, metric) for metric in headlines(reading.values)]


def headline_metrics(reading: Reading) -> list[str]:
    """Return the names of these scores: `mig.value_mig`."""
    return [score.metric for score in scores_of(reading)]


def number(value: float) -> str:
    """Return a number with three decimals; fewer where it is large, none for a whole large one."""
    size = abs(value)
    if size >= _LARGE:
        return f"{value:,.0f}"
    text = f"{value:.1f}" if size >= 10 else f"{value:.3f}"
    return text.removeprefix("-") if float(text) == 0 else text


def value_text(score: ShownScore) -> str:
    """Return `0.512`, or `0.512 ±0.008` with the spread over the eval's seeds, or `undefined`."""
    if score.value is None:
        return "undefined"
    spread = "" if score.sd_of_eval is None else f" ±{number(score.sd_of_eval)}"
    return f"{number(score.value)}{spread}"


def interval_text(score: ShownScore) -> str:
    """Return `0.112 to 0.152`, the 95% interval; empty without one."""
    if score.value is None or score.interval is None:
        return ""
    low, high = score.interval
    return f"{number(low)} to {number(high)}"


def marks_text(marks: tuple[ScaleMark, ...]) -> str:
    """Return `every word 0.190, PCA 0.050`."""
    return ", ".join(f"{mark.label} {number(mark.value)}" for mark in marks)


def how_to_read(score: ShownScore) -> str:
    """Return what a score means, its scale, its parts and its yardsticks, as one line of text."""
    meaning = "; ".join(part for part in (score.gist, score.scale) if part)
    if score.value is None:
        return "; ".join(part for part in (score.reason, meaning) if part)
    marks = "; ".join(text for text in map(marks_text, (score.parts, score.yardsticks)) if text)
    return ": ".join(part for part in (meaning, marks) if part)


def scale_of(metric: Metric) -> str:
    """Return a metric's bounds and which way is better."""
    low, high = metric.low, metric.high
    bounds = ""
    if low is not None and high is not None:
        bounds = f"{low:g} to {high:g}"
    elif high is not None:
        bounds = f"at most {high:g}"
    better = {
        Direction.HIGHER: "higher is better",
        Direction.LOWER: "lower is better",
        Direction.TARGET: f"best at {metric.target or 0:g}",
        Direction.NONE: "",
    }[metric.direction]
    # of a value that describes, the gist has the unit
    unit = metric.unit if better else ""
    return ", ".join(part for part in (bounds, unit, better) if part)


def _of_rows(reading: Reading, spec: Registered) -> Iterator[ShownScore]:
    rows = spec.metrics
    named = names_in_comparison(rows)
    shown = [name for name in spec.shown if name in rows]
    parts = {part for name in shown for part, _ in rows[name].parts}
    first = sorted((name for name in shown if name not in parts), key=lambda n: rows[n].rank)
    for name in first:
        of_metric = {v.suffix: key for key, v in named.items() if v.metric is rows[name]}
        if f"{reading.eval_name}.{of_metric['']}" in reading.values:
            yield _score(reading, named, of_metric)


def _score(
    reading: Reading, named: Mapping[str, ResultValue], of_metric: Mapping[str, str]
) -> ShownScore:
    def value(suffix: str) -> float | None:
        key = of_metric.get(suffix)
        return None if key is None else reading.values.get(f"{reading.eval_name}.{key}")

    metric = named[of_metric[""]].metric
    full = f"{reading.eval_name}.{of_metric['']}"
    shipped = [ScaleMark(*yardstick) for yardstick in yardsticks_of(reading, full)]
    null = value("null_mean")
    return ShownScore(
        metric=full,
        title=metric.title.removesuffix(", corrected"),
        gist=metric.gist,
        scale=scale_of(metric),
        bounds=_both(metric.low, metric.high),
        value=value(""),
        reason=reading.reasons.get(full, ""),
        sd_of_eval=reading.sd_of_eval.get(full),
        interval=_both(value("low"), value("high")),
        parts=tuple(_parts(reading, named, metric)),
        held_out=value("held_out"),
        yardsticks=(*shipped, *([] if null is None else [ScaleMark(SHUFFLED_FACTORS, null)])),
        has_shipped_yardsticks=bool(shipped),
    )


def _both(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)


def _parts(
    reading: Reading, named: Mapping[str, ResultValue], metric: Metric
) -> Iterator[ScaleMark]:
    by_name = {value.name: key for key, value in named.items()}
    for name, words in metric.parts:
        value = reading.values.get(f"{reading.eval_name}.{by_name[name]}")
        if value is not None:
            yield ScaleMark(words, value)


def _plain(reading: Reading, metric: str) -> ShownScore:
    """Return a score of an eval whose rows are not known."""
    spec = lookup(metric)
    better = {Direction.HIGHER: "higher is better", Direction.LOWER: "lower is better"}
    return ShownScore(
        metric=metric,
        title=spec.title,
        gist="",
        scale=better.get(spec.direction, ""),
        value=reading.values[metric],
        reason=reading.reasons.get(metric, ""),
        sd_of_eval=reading.sd_of_eval.get(metric),
    )
