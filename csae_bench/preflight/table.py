"""What a person sees of `doctor`."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from csae_bench.preflight.doctor import Examination
from csae_bench.preflight.plan import StagePlan
from csae_bench.results.table import styled


def print_examination(examination: Examination, console: Console) -> None:
    """A row for each check, then one for each stage of training."""
    checks = _table("check", "outcome", "finding")
    for check in examination.checks:
        checks.add_row(check.name, styled(check.outcome), escape(check.message))
    console.print(checks)
    if examination.stages:
        stages = _table("stage", "steps", "pairs", "terms")
        for plan in examination.stages:
            stages.add_row(escape(plan.stage), _steps(plan), _pairs(plan), escape(_terms(plan)))
        console.print()
        console.print(stages)


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
