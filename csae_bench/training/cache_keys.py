"""Everything that decides the activations of a configuration, as keys of the cache.

Not in a key, as in the hash of a training: threads, and which of several GPUs. The text of a hub
dataset, and the weights of a hub model, are taken to be what their names say.
"""

from __future__ import annotations

from collections.abc import Container
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from csae_bench import models
from csae_bench.config import ModelActivations, RunConfig
from csae_bench.corpora import NAMED_CORPORA, corpus_fingerprint
from csae_bench.models.fingerprint import loaded_fingerprint
from csae_bench.pair_texts import PAIR_TEXTS
from csae_bench.results.identity import TRAINING_VERSION

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

_DECIDING_BITS = ("numpy", "sae-lens", "tokenizers", "torch", "transformer-lens", "transformers")
"""Packages whose other version may make other tokens, or round otherwise."""


def sequences_key(
    config: RunConfig,
    activations: ModelActivations,
    model: HookedTransformer,
    *,
    hook_name: str,
    device: str,
) -> dict[str, Any]:
    """Return all that decides the activations of running text.

    Of text that is the same for every seed, the seed is not part of it.
    """
    return {
        "kind": "sequences",
        "dataset": _dataset(activations.dataset, NAMED_CORPORA),
        "data": corpus_fingerprint(activations.dataset, split="sae"),
        "seed": config.seed if activations.dataset in NAMED_CORPORA else None,
        **_common(config, activations, model, hook_name, device),
    }


def text_pairs_key(
    kind: str,
    config: RunConfig,
    activations: ModelActivations,
    model: HookedTransformer,
    *,
    hook_name: str,
    device: str,
) -> dict[str, Any]:
    """Return all that decides the activations in pairs of texts, of a kind of PAIR_TEXTS."""
    settings, texts = getattr(config.pairs, kind), PAIR_TEXTS[kind]
    return {
        "kind": f"{kind} pairs",
        "dataset": _dataset(settings.dataset, texts.named),
        "data": texts.fingerprint(settings),
        "settings": settings.model_dump(
            mode="json", exclude={"dataset", "weight", "shuffled", "n_pairs"}
        ),
        "seed": config.seed,
        **_common(config, activations, model, hook_name, device),
    }


def _common(
    config: RunConfig,
    activations: ModelActivations,
    model: HookedTransformer,
    hook_name: str,
    device: str,
) -> dict[str, Any]:
    reference = models.resolve(config.model)
    in_memory = reference.kind == "memory"
    return {
        "model": reference.name,
        "model_fingerprint": loaded_fingerprint(model)
        if in_memory
        else models.weights_fingerprint(config.model),
        "hook_name": hook_name,
        "context_size": activations.context_size,
        # which windows share a pass decides the order of sums
        "batch_size_prompts": activations.batch_size_prompts,
        "dtype": str(model.cfg.dtype).removeprefix("torch."),
        "device": torch.device(device).type,
        "training_version": TRAINING_VERSION,
        "versions": {name: version(name) for name in _DECIDING_BITS},
    }


def _dataset(dataset: str, named: Container[str]) -> str:
    """Return a dataset's name, or the absolute path of a file or folder."""
    path = Path(dataset).expanduser()
    return str(path.resolve()) if dataset not in named and path.exists() else dataset
