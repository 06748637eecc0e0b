"""SAELens's synthetic model with a hierarchy: latents know of each other's factors."""

from __future__ import annotations

from csae_bench.factors.dataset import FactorDataset, FactorSplit
from csae_bench.factors.datasets.synthetic import synthetic_factors, synthetic_world
from csae_bench.factors.registry import register_factors


@register_factors("synthetic_tree", has_prompts=False)
def synthetic_tree(split: FactorSplit, seed: int) -> FactorDataset:
    """SAELens's synthetic model with 24 features that fire only with one of 8 others."""
    world = synthetic_world(seed, has_children=True)
    return synthetic_factors(world, name="synthetic_tree", split=split, seed=seed)
