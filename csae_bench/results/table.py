"""The tables printed at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from csae_bench.results.schema import Cell, RunRecord
from csae_bench.support.printable import printable

STEPS = ("training", "validity")
"""Cells of a record that are not evals."""

STATUS_STYLES = {
    "ok": "green",
    "skipped": "dim",
    "failed": "bold red",
    "invalid": "bold red",
    "problem": "bold red",
    "unknown": "yellow",
}


def print_record(record: RunRecord, console: Console) -> None:
    """Print a line on the SAE, then one row per step of its run with its result or the reason."""
    shape = f"d_sae {record.d_sae}, d_in {record.d_in}" if record.d_sae else ""
    console.print(
        f"[bold]{plain(record.release)} {plain(record.sae_id)}[/bold]  "
        f"{plain(', '.join(part for part in (record.training_architecture, shape) if part))}"
    )
    if record.training is not None:
        training = record.training
        loss = "none" if training.final_loss is None else f"{training.final_loss:.5g}"
        console.print(
            f"trained {training.executed_steps} of {training.planned_steps} steps on "
            f"{training.n_tokens} tokens, final loss {loss}"
        )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("step", "status", "result"):
        table.add_column(column)
    table.add_column("seconds", justify="right")
    for name, cell in record.cells.items():
        seconds = "" if cell.wall_seconds is None else f"{cell.wall_seconds:.1f}"
        table.add_row(plain(name), styled(cell.status), plain(_outcome(cell)), seconds)
    console.print(table)


def print_records(records: Sequence[RunRecord], console: Console) -> None:
    """Print a line for each SAE: its status and the first score of each eval, or why not."""
    evals = list(dict.fromkeys(n for one in records for n in one.cells if n not in STEPS))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("SAE", "status", *(plain(name) for name in evals)):
        table.add_column(column)
    for record in records:
        scores = (_first_score(record.cells.get(name)) for name in evals)
        table.add_row(plain(record.sae_id), styled(record.status), *scores)
    console.print(table)
    for record in records:
        for name, cell in record.cells.items():
            if cell.status in ("failed", "invalid"):
                console.print(plain(f"{record.sae_id}, {name}: {_outcome(cell)}"))


def _first_score(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    if cell.status != "ok":
        return styled(cell.status)
    title, value = next(iter(cell.summary.items()), ("", None))
    return plain(f"{title} {value:.4g}") if value is not None else styled(cell.status)


def styled(status: str) -> str:
    """Return a status in its colour, as rich markup."""
    return f"[{STATUS_STYLES[status]}]{status}[/]"


def plain(text: str) -> str:
    """Return text of others without rich's markup or control characters."""
    return escape(printable(text))


def _outcome(cell: Cell) -> str:
    if cell.status != "ok":
        return "; ".join(reason.message for reason in cell.reasons)
    values = ", ".join(
        f"{title} {'undefined' if value is None else format(value, '.4g')}"
        for title, value in cell.summary.items()
    )
    return "; ".join(part for part in (values, *cell.warnings) if part)
