"""Executors, which carry out a plan. They all take the same plan and give the same cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the command line reads the table of executors before anything heavy
    from csae_bench.results.schema import Cell, LostWorker
    from csae_bench.runs.plan import Plan, SaePlan


@dataclass(frozen=True, kw_only=True)
class Done:
    """One step of one SAE that has ended."""

    sae: SaePlan
    """The plan; for an SAE from the hub, the plan made again once it was fetched."""
    name: str
    """`training`, `validity`, an eval's name, or that of its variant; of an error, where it
    struck."""
    cell: Cell | None
    """None if an error ended the SAE's jobs."""
    weights_hash: str | None
    """None before the weights are there."""
    error: Exception | None = None
    lost_workers: tuple[LostWorker, ...] = ()
    """Workers that were lost so far with the shard of this SAE."""


class Executor(Protocol):
    """Carries out a plan."""

    def run(self, plan: Plan) -> Iterator[Done]:
        """Yield each step as it ends; an error ends the jobs of its SAE and of no other."""
        ...
