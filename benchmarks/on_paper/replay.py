"""Replay of a run's shards on N workers: largest first, each to the next worker that is free.

The executor's own `csae_bench.executors.sharding` decides which SAEs are in a shard, and in which
order shards are begun. A shard costs what its SAEs share once, and what each costs by itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from csae_bench.executors.sharding import shards
from csae_bench.runs.plan import SaePlan
from csae_bench.runs.request import RunRequest

Shards = list[list[int]]
"""Places of the SAEs of each shard, in the order in which they are begun."""
Sharding = Callable[[Sequence[str], int], Shards]
"""Divides SAEs, given by the rows that each reads, among a number of workers."""


class Replay(NamedTuple):
    """Course of a run."""

    seconds: float
    """Until the last worker is done."""
    busy: list[float]
    """Seconds of work of each worker."""
    n_shards: int
    last: float
    """Seconds of the shard that ended last."""

    @property
    def busy_share(self) -> float:
        """Share of the workers' time in which they had work."""
        return sum(self.busy) / (self.seconds * len(self.busy)) if self.seconds else 1.0


class Estimate(NamedTuple):
    """What arithmetic alone says about the seconds of a run."""

    at_least: float
    """All work divided evenly, or the longest shard where that is longer."""
    with_last: float
    """All work divided evenly, and the last shard, which one worker makes while others are done;
    or the longest shard."""
    rounds: float
    """As many rounds of shards of the mean length as there must be; or the longest shard."""
    at_most: float
    """Bound of any order: even division, and (1 - 1 / N) of the longest shard; Graham 1969,
    doi:10.1137/0117039."""


def replay(seconds: Sequence[float], n_workers: int) -> Replay:
    """Give shards, in their order, to the next worker that is free."""
    free = [(0.0, worker) for worker in range(n_workers)]
    busy = [0.0] * n_workers
    end = last = 0.0
    for shard in seconds:
        start, worker = heapq.heappop(free)
        busy[worker] += shard
        if start + shard >= end:
            end, last = start + shard, shard
        heapq.heappush(free, (start + shard, worker))
    return Replay(end, busy, len(seconds), last)


def estimate(seconds: Sequence[float], n_workers: int) -> Estimate:
    """Estimate the same from the sum, the longest and the last shard."""
    even, longest = sum(seconds) / n_workers, max(seconds)
    of_others = 1 - 1 / n_workers  # one worker waits for none
    n_rounds = -(-len(seconds) // n_workers)
    return Estimate(
        at_least=max(even, longest),
        with_last=max(longest, even + of_others * seconds[-1]),
        rounds=max(longest, n_rounds * sum(seconds) / len(seconds)),
        at_most=even + of_others * longest,
    )


def sharding_of_the_executors(rows: Sequence[str], n_workers: int) -> Shards:
    """Divide SAEs as `--executor processes` and `ray` do."""
    return shards([_planned(f"{name}:{place}") for place, name in enumerate(rows)], n_workers)


def sharding_by_need(rows: Sequence[str], n_workers: int, *, drawing: float) -> Shards:
    """Divide SAEs with the same rows only as far as it ends the run earlier.

    Of divisions into 1, 2, ... parts, the group with the largest parts always divided next, take
    the one that ends first.

    Args:
        drawing: cost of drawing a group's rows once, in units of one SAE's own cost.
    """
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(rows):
        groups.setdefault(name, []).append(place)
    n_parts = dict.fromkeys(groups, 1)
    best, best_end = _divided(groups, n_parts), float("inf")
    while True:
        parts = _divided(groups, n_parts)
        end = replay([drawing + len(part) for part in parts], n_workers).seconds
        if end < best_end:
            best, best_end = parts, end
        largest = max(groups, key=lambda name: len(groups[name]) / n_parts[name])
        if n_parts[largest] >= min(n_workers, len(groups[largest])):
            return best
        n_parts[largest] += 1


def _divided(groups: Mapping[str, list[int]], n_parts: Mapping[str, int]) -> Shards:
    parts = [
        places[i * len(places) // n : (i + 1) * len(places) // n]
        for name, places in groups.items()
        for n in [n_parts[name]]
        for i in range(n)
    ]
    return sorted(parts, key=lambda part: (-len(part), part))


def _planned(source: str) -> SaePlan:
    """Plan an SAE of the hub, whose release, before the colon, says which rows it reads."""
    return SaePlan(request=RunRequest(source=source), resolved_sae=None, checks=())
