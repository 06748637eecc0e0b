"""The embedded world's factorial grid."""

from __future__ import annotations

from csae_bench.factors.dataset import FactorDataset, Readout, Split
from csae_bench.factors.registry import register_factors


@register_factors("embedded")
def embedded(split: Split, seed: int) -> FactorDataset:
    """The embedded world: 8 factors, topic within domain, each combination in 3 of 6 frames."""
    from csae_bench.tinyworld import factor_grid

    grid = factor_grid(split, seed=seed)
    return FactorDataset(
        name="embedded",
        prompts=tuple(prompt.text for prompt in grid.prompts),
        factors=grid.factors,
        names=grid.names,
        value_names=grid.value_names,
        frames=grid.frames,
        split=split,
        parents=grid.parents,
        readouts={
            factor: Readout(
                stems=tuple(prompt.follow_ups[factor].stem for prompt in grid.prompts),
                words=tuple(prompt.follow_ups[factor].words for prompt in grid.prompts),
            )
            for factor in grid.names
        },
    )
