"""The rows that the page sorts and filters: comparisons, values of each SAE, runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Comparison, Reading, Report, ResultSet, Verdict
from csae_bench.comparison.outputs import selection, wording
from csae_bench.pages import rounded

MAX_COMPARISONS = 3000
"""Rows of comparisons in a page, the gravest first: --json has all."""

ITEMS = "from resampling the eval's factors or questions, not seeds"

Cell = str | float | list[Any] | None
"""Text, a number, or [what to sort by, text]."""

_GRAVITY = (
    Verdict.INVALID,
    Verdict.MISSING,
    Verdict.WORSE,
    Verdict.BETTER,
    Verdict.INCOMPARABLE,
)


class Column(NamedTuple):
    """A column of a table."""

    title: str
    kind: str
    """text, prose, number or verdict."""
    hint: str = ""
    group: str = ""
    """The eval it belongs to, `shown` for columns shown at first; empty for always."""


def comparison_table(
    report: Report, rows: Sequence[Comparison], releases: set[str]
) -> dict[str, Any]:
    """Return comparisons, those of shown metrics first, as many as a page can hold."""
    level = f"{1 - report.alpha:.0%}"
    has_items = any(row.by_item is not None for row in rows)
    shown = set(selection.shown(report))
    asked = set(selection.chosen(report, (row.metric for row in rows)))
    ordered = sorted(
        (row for row in rows if row.metric in asked),
        key=lambda row: (row.metric not in shown, _gravity(row)),
    )
    columns = [
        Column("SAE", "text"),
        Column("against", "text"),
        Column("metric", "text"),
        Column("verdict", "verdict"),
        Column("candidate", "number", "mean over the seeds of both"),
        Column("baseline", "number", "mean over the seeds of both"),
        Column(f"difference [{level}]", "number"),
        Column("n", "number", "seeds that both have"),
        Column("p (Holm)", "number", "corrected over the gated metrics"),
        Column("detectable", "number", "found with 80% power"),
        *([Column(f"over items [{level}]", "number", ITEMS)] if has_items else []),
        Column("why", "prose"),
    ]
    return {
        "columns": [column._asdict() for column in columns],
        "rows": [
            _comparison_row(row, releases, has_items=has_items) for row in ordered[:MAX_COMPARISONS]
        ],
        "n_left_out": max(0, len(ordered) - MAX_COMPARISONS),
    }


def value_table(report: Report, releases: set[str]) -> dict[str, Any]:
    """Return every SAE, with all values of all evals; columns are chosen by eval."""
    sides = [("candidate", report.candidate), ("baseline", report.baseline)]
    there = [(side, results) for side, results in sides if results is not None]
    metrics = selection.chosen(
        report, chain.from_iterable(r.values for _, results in there for r in results.readings)
    )
    headlines = set(selection.first(report, metrics))
    fixed = [Column("SAE", "text")]
    fixed += [Column("side", "text")] if len(there) > 1 else []
    fixed += [
        Column("seed", "number"),
        Column("d_sae", "number"),
        Column("architecture", "text"),
        Column("invalid", "text"),
    ]
    columns = [
        Column(
            lookup(metric).title,
            "number",
            metric,
            f"{metric.partition('.')[0]}{' shown' if metric in headlines else ''}",
        )
        for metric in metrics
    ]
    rows = [
        [*_identity(side if len(there) > 1 else None, readings, releases),
         *_values(metrics, readings)]
        for side, results in there
        for readings in _by_sae(results)
    ]  # fmt: skip
    return {"columns": [column._asdict() for column in (*fixed, *columns)], "rows": rows}


def run_table(report: Report, releases: set[str]) -> dict[str, Any]:
    """Return every run record."""
    titles = ("SAE", "status", "steps", "planned", "final loss", "d_sae", "learning rate",
              "sparsity", "seconds", "problems")  # fmt: skip
    kinds = ("text", "text", *["number"] * 7, "prose")
    sides = [report.candidate, *([report.baseline] if report.baseline else [])]
    return {
        "columns": [Column(*pair)._asdict() for pair in zip(titles, kinds, strict=True)],
        "rows": [
            [
                run.sae_id if {run.family.release} == releases
                else f"{run.family.release} {run.sae_id}",
                run.status,
                run.executed_steps,
                run.planned_steps,
                _short(run.final_loss),
                run.d_sae,
                _short(run.learning_rate),
                _short(run.sparsity),
                _short(run.wall_seconds),
                " ".join(run.problems),
            ]
            for results in sides
            for run in results.runs
        ],
    }  # fmt: skip


def _gravity(row: Comparison) -> int:
    if row.verdict is Verdict.UNMEASURED:
        return len(_GRAVITY) + 1
    return _GRAVITY.index(row.verdict) if row.verdict in _GRAVITY else len(_GRAVITY)


def _comparison_row(row: Comparison, releases: set[str], *, has_items: bool) -> list[Cell]:
    difference = wording.difference(row)
    items = row.by_item
    by_item = None if items is None else [_short(items.low), wording.interval_text(items)]
    return [
        wording.family_text(row.candidate, releases),
        wording.family_text(row.baseline, releases),
        [lookup(row.metric).title, row.metric],
        row.verdict.value,
        _short(row.candidate_mean),
        _short(row.baseline_mean),
        None if row.difference is None else [_short(row.difference), difference],
        row.n_pairs,
        None if row.p_holm is None else [_short(row.p_holm), wording.p_text(row.p_holm)],
        _short(row.smallest_detectable, 2),
        *([by_item] if has_items else []),
        " ".join(row.reasons),
    ]


def _by_sae(results: ResultSet) -> Iterable[list[Reading]]:
    by_sae: dict[tuple[str, str], list[Reading]] = {}
    for reading in results.readings:
        by_sae.setdefault((reading.family.release, reading.title), []).append(reading)
    return by_sae.values()


def _identity(side: str | None, readings: list[Reading], releases: set[str]) -> list[Cell]:
    first = readings[0]
    is_alone = {first.family.release} == releases
    name = first.title if is_alone else f"{first.family.release} {first.title}"
    why = dict.fromkeys(reason for reading in readings for reason in reading.invalid)
    return [
        name,
        *([] if side is None else [side]),
        first.seed,
        first.d_sae,
        first.architecture or "",
        "; ".join(why),
    ]


def _values(metrics: list[str], readings: list[Reading]) -> list[Cell]:
    values: dict[str, float | None] = {}
    for reading in readings:
        values.update(reading.values)
    return [_short(values.get(metric)) for metric in metrics]


def _short(value: float | None, digits: int = 4) -> float | None:
    """Round to the digits that the page shows and sorts by; None if JSON cannot hold the value."""
    return None if value is None or not math.isfinite(value) else rounded(value, digits)
