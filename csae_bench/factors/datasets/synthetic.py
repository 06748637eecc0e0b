"""SAELens's synthetic models: activations whose true features are the factors.

No language model is involved. Chanin et al. 2026, SynthSAEBench, arXiv:2602.14687.
`synthetic_tree` is the same world with features that fire within others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from csae_bench.errors import DataError, reason_of
from csae_bench.factors.dataset import FactorDataset, FactorSplit, TrueFeatures
from csae_bench.factors.registry import register_factors

if TYPE_CHECKING:
    from sae_lens import SAE
    from sae_lens.synthetic import HierarchyNode, SyntheticModel

N_SAMPLES = 4096
N_FEATURES = 64
D_IN = 96
VALUES = ("silent", "active")


@register_factors("synthetic", has_prompts=False)
def synthetic(split: FactorSplit, seed: int) -> FactorDataset:
    """SAELens's synthetic model: 64 true features that fire by themselves, in 96 dimensions."""
    return synthetic_factors(synthetic_world(seed), name="synthetic", split=split, seed=seed)


def synthetic_world(seed: int = 0, *, has_children: bool = False) -> SyntheticModel:
    """Make the world of the dataset `synthetic`, or of `synthetic_tree`.

    64 features fire with 5 to 30% in as many random directions of 96 dimensions, so that they can
    be distinguished exactly. Magnitudes have mean 1 and standard deviation .2.

    Args:
        has_children: 8 features have 3 children each, which fire only with their parent.
    """
    from sae_lens.synthetic import (
        HierarchyConfig,
        LinearFiringProbabilityConfig,
        SyntheticModel,
        SyntheticModelConfig,
    )

    tree = HierarchyConfig(
        total_root_nodes=8, branching_factor=3, max_depth=1, compensate_probabilities=True
    )
    config = SyntheticModelConfig(
        num_features=N_FEATURES,
        hidden_dim=D_IN,
        firing_probability=LinearFiringProbabilityConfig(max_prob=0.3, min_prob=0.05),
        hierarchy=tree if has_children else None,
        std_firing_magnitudes=0.2,
        seed=seed,
    )
    return SyntheticModel(config)


def load_synthetic(
    folder: Path, *, split: FactorSplit = "test", seed: int = 0, n: int = N_SAMPLES
) -> FactorDataset:
    """Draw samples of a synthetic model that SAELens's `SyntheticModel.save` wrote.

    Raises:
        DataError: the folder holds no such model, or a damaged one.
    """
    from sae_lens.synthetic import SyntheticModel
    from safetensors import SafetensorError

    try:
        world = SyntheticModel.load_from_disk(folder)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise DataError(
            f"{folder}: SAELens cannot load this synthetic model: {reason_of(error)}."
        ) from error
    return synthetic_factors(world, name=str(folder), split=split, seed=seed, n=n)


def synthetic_factors(
    world: SyntheticModel,
    *,
    name: str = "synthetic",
    split: FactorSplit = "test",
    seed: int = 0,
    n: int = N_SAMPLES,
) -> FactorDataset:
    """Draw `n` samples of a world; each true feature is a factor, silent or active.

    The splits are disjoint samples of one world. Each sample is a template of its own. A feature's
    parent is the nearest in SAELens's hierarchy: a child is active only where its parent is.
    """
    import torch

    entropy = [seed, split == "train", *b"synthetic"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        acts, features = world.sample_with_features(n)
    if features.is_sparse:
        features = features.to_dense()
    values = features.cpu().numpy()
    names = tuple(f"feature_{index}" for index in range(values.shape[1]))
    roots = world.hierarchy.roots if world.hierarchy is not None else []
    return FactorDataset(
        name=name,
        acts=acts.float().cpu().numpy(),
        factors=(values > 0).astype(np.int64),
        names=names,
        value_names=(VALUES,) * len(names),
        templates=tuple(f"sample {number}" for number in range(n)),
        split=split,
        features=TrueFeatures(
            values=values,
            directions=world.feature_dict.feature_vectors.detach().cpu().numpy(),
            bias=world.feature_dict.bias.detach().cpu().numpy(),
        ),
        parents={names[child]: names[parent] for child, parent in _edges(roots, parent=None)},
    )


def oracle_sae(
    dataset: FactorDataset,
    *,
    threshold: float = 0.05,
    device: str = "cpu",
    metadata: Mapping[str, Any] | None = None,
) -> SAE[Any]:
    """Make the SAE whose latents are the true features: latent f is feature f.

    The encoder is the pseudo-inverse of the directions: exact where there are no more features
    than dimensions, and the least-squares guess in superposition. What comes out below
    `threshold` is noise, and silent.

    Raises:
        DataError: the dataset's true features are not known.
    """
    import torch
    from sae_lens import JumpReLUSAE, JumpReLUSAEConfig
    from sae_lens.saes.sae import SAEMetadata

    if dataset.features is None:
        raise DataError(
            f"factor dataset '{dataset.name}' has no true features; an oracle SAE can be built for "
            "synthetic models only."
        )
    directions = torch.from_numpy(dataset.features.directions).float()
    n_features, d_in = directions.shape
    sae = JumpReLUSAE(
        JumpReLUSAEConfig(
            d_in=d_in,
            d_sae=n_features,
            apply_b_dec_to_input=True,
            metadata=SAEMetadata(**{**(metadata or {}), "training_architecture": "oracle"}),
        )
    )
    weights = {
        "W_enc": torch.linalg.pinv(directions),
        "W_dec": directions.clone(),
        "b_enc": torch.zeros(n_features),
        "b_dec": torch.from_numpy(dataset.features.bias).float(),
        "threshold": torch.full((n_features,), threshold),
    }
    sae.load_state_dict(weights)
    return sae.to(device)


def _edges(nodes: Sequence[HierarchyNode], *, parent: int | None) -> list[tuple[int, int]]:
    """(child, parent) of every feature below another; nodes that are no feature are skipped."""
    edges: list[tuple[int, int]] = []
    for node in nodes:
        index = node.feature_index
        if index is not None and parent is not None:
            edges.append((index, parent))
        edges += _edges(node.children, parent=parent if index is None else index)
    return edges
