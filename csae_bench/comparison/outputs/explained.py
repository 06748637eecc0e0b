"""An explanation on the terminal: labels on the left, text as wide as there is room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from csae_bench.comparison.outputs.explanation import (
    Beside,
    EvalExplanation,
    KnownValue,
    MetricExplanation,
    version_sentence,
)
from csae_bench.comparison.outputs.scores import ScaleMark, marks_text
from csae_bench.evals.metric_rows import Direction
from csae_bench.support.printable import printable, shortened

_NARROW = 60
"""Columns below which text goes under its label."""
_WIDEST = 110
"""Columns of a line of text at most, which an eye can follow."""
_LABEL_COLUMNS = 20
_TRUST = "when not to trust it"


def print_explanation(told: EvalExplanation | MetricExplanation, console: Console) -> None:
    """Print what a score or an eval is."""
    if isinstance(told, EvalExplanation):
        _print_eval(told, console)
    else:
        _print_metric(told, console)


def scale_words(told: MetricExplanation) -> str:
    """Return `0 to 1, higher is better`, `0 or more latents`, `any value`."""
    low, high = told.low, told.high
    if low is not None and high is not None:
        bounds = f"{low:g} to {high:g}"
    elif low is not None:
        bounds = f"{low:g} or more"
    elif high is not None:
        bounds = f"at most {high:g}"
    else:
        bounds = "no bounds"
    better = {
        Direction.HIGHER: "higher is better",
        Direction.LOWER: "lower is better",
        Direction.TARGET: f"best at {told.target or 0:g}",
        Direction.NONE: "describes: neither way is better",
    }[Direction(told.direction)]
    unit = f"in {told.unit}" if told.unit else ""
    return ", ".join(part for part in (bounds, unit, better) if part)


def _print_metric(told: MetricExplanation, console: Console) -> None:
    _head(told.name, told.title, told.gist, console)
    about = _about(told.eval_about)
    _print_rows(
        [
            ("what it is", [told.description]),
            ("scale", [scale_words(told)]),
            ("note", [told.note]),
            *((name, text) for name, text in about if name != _TRUST),
            ("known values", list(_known(told.known_values))),
            *((name, text) for name, text in about if name == _TRUST),
            *_computed_by(told),
            ("gate", [_gate(told)]),
            ("noise", [_noise(told)]),
            ("versions", [version_sentence(told)]),
            ("made of", _besides(told.parts)),
            ("next to it", _besides(told.accompanied_by)),
            ("in the JSON", [told.place]),
            ("sources", told.sources),
        ],
        console,
    )


def _print_eval(told: EvalExplanation, console: Console) -> None:
    _head(told.name, told.summary, "", console)
    shown = [metric.name for metric in told.metrics if metric.name in told.headline]
    scores = (
        f"{metric.name}{' *' if metric.name in shown else ''}: {metric.title}; "
        f"{scale_words(metric)}{'; may gate' if metric.may_gate else ''}"
        for metric in told.metrics
    )
    _print_rows(
        [
            *_about(told.about),
            ("scores", [*scores, "* shown by a run" if shown else ""]),
            ("next to them", [", ".join(told.others)]),
            ("sources", told.sources),
        ],
        console,
    )
    if told.metrics:
        first = (shown or [told.metrics[0].name])[0]
        console.print(Text(f"\nMore of one score: csae-bench explain {first}", style="dim"))


def _head(name: str, title: str, gist: str, console: Console) -> None:
    console.print(Text.assemble((printable(name), "bold"), f"  {printable(title)}"))
    if gist:
        console.print(Text(printable(gist), style="dim"))
    console.print()


def _gate(told: MetricExplanation) -> str:
    may = "May fail a gate" if told.may_gate else "Fails no gate unless a policy says that it gates"
    if told.direction == Direction.NONE:
        may = "Fails no gate"
    if told.margin is not None:
        may += f"; differences up to {told.margin:g} count as equivalent"
    supporting = " It is compared only where a rule names it." if told.is_supporting else ""
    return f"{may}.{supporting}"


def _noise(told: MetricExplanation) -> str:
    if told.sd_between_seeds is None:
        return ""
    return (
        f"Standard deviation between training seeds on {told.sd_model}: {told.sd_between_seeds:g}."
    )


def _computed_by(told: MetricExplanation) -> Iterator[tuple[str, list[str]]]:
    """Yield who computes it; of SAE-Bench's own values with a right twin, both and the fault."""
    if told.is_computed_by_sae_bench:
        yield "computed by", ["SAE-Bench's own code, stored as it computes it."]
    twin = told.corrected or told.sae_bench
    if twin is not None:
        is_right = told.corrected is not None
        yield "corrected" if is_right else "SAE-Bench's", [f"{twin.name}: {twin.description}"]
        yield "SAE-Bench's fault" if twin.fault else "", [twin.fault]


def _besides(besides: Iterable[Beside]) -> list[str]:
    return [f"{each.name}: {each.description}" for each in besides]


def _about(about: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    return [(name.lower(), text.split("\n")) for name, text in about.items()]


def _known(values: Iterable[KnownValue]) -> Iterator[str]:
    """Yield a line for each dataset, pooling and model: `PCA 0.167, random decoder 0.036`."""
    groups: dict[str, list[ScaleMark]] = {}
    for each in values:
        keys = (str(each.conditions[key]) for key in ("dataset", "pooling")
                if key in each.conditions)  # fmt: skip
        where = [shortened(key, 40) for key in keys]
        where.append("any model" if each.model is None else each.model)
        groups.setdefault(", ".join(where), []).append(ScaleMark(each.label, each.value))
    for where, marks in groups.items():
        yield f"{where}: {marks_text(tuple(marks))}"
    if groups:
        yield "Under default settings; --json has all conditions."


def _print_rows(rows: Iterable[tuple[str, Sequence[str]]], console: Console) -> None:
    """Print each label with its lines beside it, or below it where there is no room."""
    is_narrow = console.width < _NARROW
    for label, lines in rows:
        for place, line in enumerate(line for line in lines if line):
            shown_label = label if place == 0 else ""
            text = Text(printable(line))
            if is_narrow:
                if shown_label:
                    console.print(Text(shown_label, style="dim"))
                console.print(Padding(text, (0, 0, 0, 2)))
            else:
                table = Table.grid(padding=(0, 2, 0, 0))
                table.add_column(style="dim", width=_LABEL_COLUMNS)
                table.add_column(overflow="fold", max_width=_WIDEST)
                table.add_row(shown_label, text)
                console.print(table)
