"""A shard in the pool's queue: what is left of it, how often it was begun, and who was lost."""

from __future__ import annotations

from dataclasses import dataclass, field

from csae_bench.executors.messages import Shard
from csae_bench.results.schema import LostWorker
from csae_bench.runs.plan import Plan


@dataclass
class PoolPart:
    """A shard, and how far it is."""

    plan: Plan
    places: list[int]
    """Places in the plan of its SAEs that are not done."""
    train_only: bool = False
    n_attempts: int = 0
    lost: list[LostWorker] = field(default_factory=list[LostWorker])
    """Workers that were lost with it, first to last."""
    _steps: dict[int, set[str]] = field(default_factory=dict[int, set[str]])
    """Names of the steps of each SAE that have ended."""

    def begin(self, number: int) -> Shard:
        """Return what is left as a shard, and count the attempt."""
        self.n_attempts += 1
        requests = tuple(self.plan.saes[place].request for place in self.places)
        return Shard(number=number, requests=requests, train_only=self.train_only)

    def note(self, place: int, name: str, *, is_error: bool) -> bool:
        """Note a step; return whether its SAE is done."""
        steps = self._steps.setdefault(place, set())
        steps.add(name)
        n_evals = len(self.plan.saes[place].evals)
        if self.train_only or n_evals == 0:  # of an SAE of the hub the evals are not known yet
            return is_error or self.train_only
        return is_error or len(steps) == 2 + n_evals
