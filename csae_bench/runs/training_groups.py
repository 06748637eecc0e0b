"""Which SAEs of a plan are trained side by side: those with the same rows, as many as fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from csae_bench.hardware import memory
from csae_bench.runs.plan import SaePlan
from csae_bench.training.task import rows_key

SHARE_OF_FREE_MEMORY = 0.8
"""Estimates are not exact, and other processes need some."""


def training_groups(
    saes: Sequence[SaePlan], free_bytes: Callable[[], float | None]
) -> Iterator[list[SaePlan]]:
    """Yield the SAEs in groups, each SAE once; groups in the order of their first SAEs.

    SAEs of a group are to be trained on the same rows, have different weights, and fit into memory
    together; an SAE that shares its rows with none, or needs no training, is alone.

    Args:
        free_bytes: memory of the device, asked before each group of several; None: unknown.
    """
    waiting = list(saes)
    while waiting:
        first, *others = waiting
        key = _key(first)
        candidates = [first] + [sae for sae in others if key is not None and _key(sae) == key]
        group = _distinct(candidates)
        if len(group) > 1:
            group = _fitting(group, free_bytes())
        yield group
        taken = {id(sae) for sae in group}
        waiting = [sae for sae in waiting if id(sae) not in taken]


def _key(sae: SaePlan) -> str | None:
    """Return the key of the rows of an SAE that is yet to be trained."""
    resolved_sae = sae.resolved_sae
    if resolved_sae is None or sae.training is None:
        return None
    if resolved_sae.is_ready and not sae.request.force:
        return None
    return rows_key(resolved_sae.resolved)


def _distinct(saes: Sequence[SaePlan]) -> list[SaePlan]:
    """Leave out SAEs with the weights of one before them."""
    by_training = {sae.training.key if sae.training else id(sae): sae for sae in reversed(saes)}
    return [sae for sae in saes if any(sae is one for one in by_training.values())]


def _fitting(saes: Sequence[SaePlan], free: float | None) -> list[SaePlan]:
    """Return the first ones that fit into memory side by side; one at least."""
    if free is None:
        return list(saes)
    left, chosen = SHARE_OF_FREE_MEMORY * free, list[SaePlan]()
    for sae in saes:
        assert sae.resolved_sae is not None, "it has a key"
        config, model = sae.resolved_sae.config, sae.resolved_sae.model
        parts = memory.estimate(config, model, eval_batch=0, eval_context=0).training
        left -= sum(parts[name] for name in memory.OF_EACH_SAE) if chosen else sum(parts.values())
        if chosen and left < 0:
            break
        chosen.append(sae)
    return chosen
