"""What a configuration trains on: its activations and their pairs, and where they are from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from csae_bench import models
from csae_bench.activations import ActivationSource, GeneratorSource, model_source
from csae_bench.config import GeneratorActivations, ResolvedConfig, RunConfig
from csae_bench.errors import ModelError
from csae_bench.pairs import PairStream

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


def pair_stream(
    config: RunConfig, model: HookedTransformer | None, *, device: str = "cpu"
) -> PairStream:
    """The batches a configuration trains on; equal for SAEs that differ in their loss alone."""
    return PairStream(
        activation_source(config, model, device=device),
        config.pairs,
        batch_size=config.training.batch_size,
        pairs_in_buffer=config.activations.pairs_in_buffer,
        seed=config.seed,
    )


def activation_source(
    config: RunConfig, model: HookedTransformer | None, *, device: str = "cpu"
) -> ActivationSource:
    """The activations a configuration trains on, from their beginning.

    Raises:
        ModelError: they are a model's, and there is none.
    """
    if isinstance(config.activations, GeneratorActivations):
        return GeneratorSource(config.activations, config.seed, device=device)
    if model is None:
        raise ModelError(
            f"The activations are those of '{config.model}', but no model was passed. Pass "
            f"models.load('{config.model}'), or set activations.kind=generator."
        )
    return model_source(
        model,
        config.activations,
        hook_name=hook_name(config),
        seed=config.seed,
        device=device,
    )


def sample_rows(
    resolved: ResolvedConfig, model: HookedTransformer | None, n_rows: int, *, device: str = "cpu"
) -> Float[Tensor, "n_rows d_in"]:
    """The first rows of what a configuration trains on, without special tokens, unshuffled."""
    source = activation_source(resolved.config, model, device=device)
    rows, n_drawn = [], 0
    while n_drawn < n_rows:
        sequences = source.next_sequences()
        rows.append(sequences.acts[sequences.usable.to(sequences.acts.device)].float())
        n_drawn += len(rows[-1])
    return torch.cat(rows)[:n_rows]


def hook_name(config: RunConfig) -> str:
    """Where the activations are taken: the configuration's hook, or else the model's default."""
    return config.hook_name or models.describe(config.model).default_hook_name


def sae_metadata(resolved: ResolvedConfig) -> dict[str, Any]:
    """What SAELens and SAE-Bench read about where an SAE belongs."""
    config, activations = resolved.config, resolved.config.activations
    metadata: dict[str, Any] = {
        "context_size": activations.context_size,
        "prepend_bos": True,
        "exclude_special_tokens": True,
        "csae_bench_config": resolved.name,
        "csae_bench_seed": config.seed,
    }
    if isinstance(activations, GeneratorActivations):
        return {**metadata, "dataset_path": "generated"}
    return {
        **metadata,
        "model_name": models.describe(config.model).name,
        "model_class_name": "HookedTransformer",
        "hook_name": hook_name(config),
        "hook_head_index": None,
        "dataset_path": activations.dataset,
        "model_from_pretrained_kwargs": {},
    }
