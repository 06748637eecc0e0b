"""What a person sees at the end of a run, and of `doctor`."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from csae_bench.results.schema import Cell, RunRecord

STATUS_STYLES = {
    "ok": "green",
    "skipped": "dim",
    "failed": "bold red",
    "invalid": "bold red",
    "problem": "bold red",
    "unknown": "yellow",
}


def print_record(record: RunRecord, console: Console) -> None:
    """A line on the SAE, then one row per step of its run with what it measured or why not."""
    shape = f"d_sae {record.d_sae}, d_in {record.d_in}" if record.d_sae else ""
    console.print(
        f"[bold]{escape(record.release)} {escape(record.sae_id)}[/bold]  "
        f"{escape(', '.join(part for part in (record.training_architecture, shape) if part))}"
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
        table.add_row(name, styled(cell.status), escape(_outcome(cell)), seconds)
    console.print(table)


def styled(status: str) -> str:
    """A status in its colour, as rich markup."""
    return f"[{STATUS_STYLES[status]}]{status}[/]"


def _outcome(cell: Cell) -> str:
    if cell.status != "ok":
        return "; ".join(reason.message for reason in cell.reasons)
    values = ", ".join(
        f"{title} {'undefined' if value is None else format(value, '.4g')}"
        for title, value in cell.summary.items()
    )
    return "; ".join(part for part in (values, *cell.warnings) if part)
