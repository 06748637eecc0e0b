"""Which SAEs go to a worker together: those that share rows, or at least a model and a hook."""

from __future__ import annotations

from collections.abc import Sequence

from csae_bench.runs.plan import SaePlan
from csae_bench.training.task import rows_key


def shards(saes: Sequence[SaePlan], n_workers: int) -> list[list[int]]:
    """Return places of the SAEs in shards, each SAE in one, larger shards first.

    SAEs with the same rows, model and hook are split into as many shards as there are workers at
    most: what they share is then made once a worker, and all workers have something to do.
    """
    groups: dict[tuple[str | None, ...], list[int]] = {}
    for place, sae in enumerate(saes):
        groups.setdefault(_key(sae), []).append(place)
    parts = [part for places in groups.values() for part in _parts(places, n_workers)]
    return sorted(parts, key=lambda part: (-len(part), part))


def _parts(places: list[int], n: int) -> list[list[int]]:
    n = min(n, len(places))
    return [places[i * len(places) // n : (i + 1) * len(places) // n] for i in range(n)]


def _key(sae: SaePlan) -> tuple[str | None, ...]:
    resolved_sae = sae.resolved_sae
    if resolved_sae is None:  # on the hub: its release says which model it is of
        return (sae.request.source.partition(":")[0],)
    return resolved_sae.release, resolved_sae.hook_name, rows_key(resolved_sae.resolved)
