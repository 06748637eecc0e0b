"""Output of `csae-bench metrics` in a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from csae_bench.metrics.summary import Summary

_NAME_WIDTH = 22
_FACTOR_WIDTH = 12


def print_summary(summary: Summary, gists: Mapping[str, str], console: Console) -> None:
    """Print a row for each metric, with its null if it has one, then each factor's values.

    Args:
        gists: a few words on each metric.
    """
    factors = list(next(iter(summary.scores.values())).by_factor)
    console.print(f"{summary.n} samples, {summary.d_sae} latents, {len(factors)} factors")
    overall = _table("metric", "value", "adjusted", "p", "what it is")
    for name, score in summary.scores.items():
        null = summary.nulls[name].score if name in summary.nulls else None
        adjusted, p = (f"{null.adjusted:.3f}", f"{null.p:.2g}") if null else ("", "")
        told = gists[name] if score.value is not None else f"undefined: {score.reason}"
        overall.add_row(name, _shown(score.value), adjusted, p, escape(told))
    console.print(overall)
    console.print(
        "adjusted: minus its mean where the samples' factors are permuted; p: how often that "
        "reaches the value",
        style="dim",
    )
    fitting = max(1, (console.width - _NAME_WIDTH) // (_FACTOR_WIDTH + 1))
    for first in range(0, len(factors), fitting):
        console.print()
        console.print(_by_factor(summary, factors[first : first + fitting]))


def _by_factor(summary: Summary, factors: list[str]) -> Table:
    table = _table("metric")
    for factor in factors:
        table.add_column(escape(factor), justify="right", max_width=_FACTOR_WIDTH, overflow="fold")
    for name, score in summary.scores.items():
        table.add_row(name, *(_shown(score.by_factor[factor]) for factor in factors))
    return table


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="left" if column == "what it is" else "right")
    return table


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
