"""The table that `doctor` prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from csae_bench.preflight.check import Check
from csae_bench.preflight.plan import StagePlan
from csae_bench.results.table import plain, styled


def print_checks(checks: Sequence[Check], stages: Sequence[StagePlan], console: Console) -> None:
    """Print a row for each check, then one for each stage of training."""
    table = _table("check", "outcome", "finding")
    for check in checks:
        table.add_row(check.name, styled(check.outcome), plain(check.message))
    console.print(table)
    if stages:
        table = _table("stage", "steps", "pairs", "terms")
        for plan in stages:
            table.add_row(plain(plan.stage), _steps(plan), _pairs(plan), plain(_terms(plan)))
        console.print()
        console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column)
    return table


def _steps(plan: StagePlan) -> str:
    if plan.n_steps == 0:
        return "none"
    return f"{plan.first_step} to {plan.first_step + plan.n_steps - 1}"


def _pairs(plan: StagePlan) -> str:
    return "\n".join(f"{kind} {share:.0%}" for kind, share in plan.pairs.items()) or "none"


def _terms(plan: StagePlan) -> str:
    lines: list[str] = []
    for name, weight in plan.weights.items():
        settings = plan.settings.get(name, {})
        differing = ", ".join(f"{key}={value}" for key, value in settings.items())
        lines.append(f"{name} {weight:g}" + (f" ({differing})" if differing else ""))
    return "\n".join(lines) or "none: reconstruction alone"
