"""Tinyworld's factorial grid."""

from __future__ import annotations

from csae_bench.factors.dataset import FactorDataset, FactorSplit, Readout
from csae_bench.factors.registry import register_factors


@register_factors("tinyworld")
def tinyworld(split: FactorSplit, seed: int) -> FactorDataset:
    """Tinyworld: 8 factors, topic within domain, each combination in 3 of 6 templates."""
    from csae_bench.tinyworld import factor_grid

    grid = factor_grid(split, seed=seed)
    return FactorDataset(
        name="tinyworld",
        prompts=tuple(prompt.text for prompt in grid.prompts),
        factors=grid.factors,
        names=grid.names,
        value_names=grid.value_names,
        templates=grid.templates,
        split=split,
        pooling="last",  # the full stop, at which all eight factors have been said
        parents=grid.parents,
        readouts={
            factor: Readout(
                stems=tuple(prompt.follow_ups[factor].stem for prompt in grid.prompts),
                words=tuple(prompt.follow_ups[factor].words for prompt in grid.prompts),
            )
            for factor in grid.names
        },
    )
