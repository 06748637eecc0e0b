"""Training data of a configuration: its activations, their pairs, and their origin."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from csae_bench import models
from csae_bench.activations.cache.draws import ActivationCache
from csae_bench.activations.cached_source import CachedSource
from csae_bench.activations.sources import (
    ActivationSource,
    GeneratorSource,
    check_hook,
    model_source,
)
from csae_bench.config import GeneratorActivations, ResolvedConfig, RunConfig
from csae_bench.errors import ConfigError, ModelError
from csae_bench.pair_texts import PAIR_TEXTS
from csae_bench.pairs import (
    PairSource,
    PairStream,
    SameSequencePairs,
    TextPairs,
    activations_at,
)
from csae_bench.pairs.cached_text_pairs import CachedTextPairs
from csae_bench.pairs.repeated_pairs import RepeatedPairs
from csae_bench.results import identity
from csae_bench.training.cache_keys import sequences_key, text_pairs_key
from csae_bench.training.text_pairs import open_text_pairs

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


_HELD_OUT_SEED = 1_000_003
"""Offset of the seed of held-out text from that of training."""

_HELD_OUT_BATCH = 2**40
"""The first held-out batch of generated activations; no training gets so far."""


def pair_stream(
    config: RunConfig,
    model: HookedTransformer | None,
    *,
    device: str = "cpu",
    cache: ActivationCache | None = None,
) -> PairStream:
    """Make the batches a configuration trains on; equal for SAEs that differ in their loss alone.

    Args:
        cache: where activations of a model are read and kept; the batches are the same.

    Raises:
        ConfigError: there are pairs of texts, but no language model to read them.
        ModelError: the activations are a model's, and there is none, or it has no such hook.
        DataError: text or texts of pairs are missing or malformed.
    """
    sources = pair_sources(config, model, device=device, cache=cache)
    return _stream(config, sources, config.pairs.shuffled_kinds)


def held_out_stream(
    config: RunConfig,
    model: HookedTransformer | None,
    *,
    device: str = "cpu",
    cache: ActivationCache | None = None,
) -> PairStream:
    """Make pairs of the same kinds and shares as training's, never shuffled, to measure an SAE on.

    Tinyworld's texts and generated activations are such as training never draws, from
    the same world; so are the pairs of texts of `english`. The texts of sae_probes come in another
    order, in which few are those of a training much shorter than a pass. Of files and of datasets
    on the hub the texts are those of training, paired and mixed otherwise.
    """
    other = config.model_copy(update={"seed": config.seed + _HELD_OUT_SEED})
    if not isinstance(config.activations, GeneratorActivations):
        sources = pair_sources(other, model, device=device, cache=cache)
        # a few batches are drawn: of texts, read for one pair or some, a large buffer costs more
        return _stream(other, sources, small_buffers=sources.keys() & PAIR_TEXTS.keys())
    # another seed would be another world: other directions
    source = GeneratorSource(config.activations, config.seed, device=device)
    source.load_state_dict({"n_batches": _HELD_OUT_BATCH})
    pairs = SameSequencePairs(source, config.pairs.same_sequence, seed=other.seed)
    return _stream(other, {"same_sequence": pairs})


def pair_sources(
    config: RunConfig,
    model: HookedTransformer | None,
    *,
    device: str = "cpu",
    cache: ActivationCache | None = None,
) -> dict[str, PairSource]:
    """Make a source for each kind of pairs that has a weight, from its beginning."""

    def sequences() -> PairSource:
        source = activation_source(config, model, device=device, cache=cache)
        return SameSequencePairs(source, config.pairs.same_sequence, seed=config.seed)

    return {
        kind: _repeated(kind, config, _text_pairs(kind, config, model, device=device, cache=cache))
        if kind in PAIR_TEXTS
        else sequences()
        for kind in config.pairs.shares()
    }


def activation_source(
    config: RunConfig,
    model: HookedTransformer | None,
    *,
    device: str = "cpu",
    cache: ActivationCache | None = None,
) -> ActivationSource:
    """Open the activations a configuration trains on, from their beginning.

    Raises:
        ModelError: they are a model's, and there is none, or it has no such hook.
        ResultError: the folder of the cache cannot be written.
    """
    activations = config.activations
    if isinstance(activations, GeneratorActivations):
        return GeneratorSource(activations, config.seed, device=device)
    given, hook = _given(model, config), hook_name(config)

    def open_source() -> ActivationSource:
        return model_source(given, activations, hook_name=hook, seed=config.seed, device=device)

    if cache is None:
        return open_source()
    check_hook(given, hook)
    key = sequences_key(config, activations, given, hook_name=hook, device=device)
    return CachedSource(
        cache.draws(key),
        open_source,
        d_in=given.cfg.d_model,
        context_size=activations.context_size,
        dtype=given.cfg.dtype,
        device=device,
    )


def sample_rows(
    resolved: ResolvedConfig,
    model: HookedTransformer | None,
    n_rows: int,
    *,
    device: str = "cpu",
    cache: ActivationCache | None = None,
) -> Float[Tensor, "n_rows d_in"]:
    """Read the first rows of a configuration's training data, unshuffled, no special tokens."""
    source = activation_source(resolved.config, model, device=device, cache=cache)
    rows, n_drawn = [], 0
    while n_drawn < n_rows:
        sequences = source.next_sequences()
        rows.append(sequences.acts[sequences.usable.to(sequences.acts.device)].float())
        n_drawn += len(rows[-1])
    return torch.cat(rows)[:n_rows]


def hook_name(config: RunConfig) -> str:
    """Return the hook of the activations: the configuration's, or else the model's default."""
    return config.hook_name or models.describe(config.model).default_hook_name


def sae_metadata(resolved: ResolvedConfig) -> dict[str, Any]:
    """Return the metadata that SAELens and SAE-Bench read about an SAE's model and hook."""
    config, activations = resolved.config, resolved.config.activations
    metadata: dict[str, Any] = {
        "context_size": activations.context_size,
        "prepend_bos": True,
        "exclude_special_tokens": True,
        identity.SAE_ID_KEY: identity.config_sae_id(resolved),
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


def _stream(
    config: RunConfig,
    sources: dict[str, PairSource],
    shuffled: Collection[str] = (),
    small_buffers: Collection[str] = (),
) -> PairStream:
    return PairStream(
        sources,
        config.pairs.shares(),
        batch_size=config.training.batch_size,
        pairs_in_buffer=config.activations.pairs_in_buffer,
        seed=config.seed,
        small_buffers=small_buffers,
        shuffled=shuffled,
        threes=config.pairs.threes,
    )


def _text_pairs(
    kind: str,
    config: RunConfig,
    model: HookedTransformer | None,
    *,
    device: str,
    cache: ActivationCache | None,
) -> PairSource:
    activations = config.activations
    if isinstance(activations, GeneratorActivations):
        raise ConfigError(
            [
                f"pairs.{kind}.weight is above 0, but activations.kind is generator: there is no "
                f"language model to read texts; set pairs.{kind}.weight=0, or "
                "activations.kind=model."
            ]
        )
    given, hook = _given(model, config), hook_name(config)

    def open_source() -> TextPairs:
        return open_text_pairs(
            kind,
            config.pairs,
            given,
            activations_at(given, hook, device=device),
            d_in=given.cfg.d_model,
            context_size=activations.context_size,
            batch_size_prompts=activations.batch_size_prompts,
            seed=config.seed,
        )

    if cache is None:
        return open_source()
    check_hook(given, hook)
    key = text_pairs_key(kind, config, activations, given, hook_name=hook, device=device)
    return CachedTextPairs(
        cache.draws(key),
        open_source,
        d_in=given.cfg.d_model,
        kind=kind,
        dataset=getattr(config.pairs, kind).dataset,
        dtype=given.cfg.dtype,
        device=device,
    )


def _repeated(kind: str, config: RunConfig, source: PairSource) -> PairSource:
    n_pairs: int | None = getattr(config.pairs, kind).n_pairs
    return source if n_pairs is None else RepeatedPairs(source, n_pairs)


def _given(model: HookedTransformer | None, config: RunConfig) -> HookedTransformer:
    if model is None:
        raise ModelError(
            f"The activations are those of '{config.model}', but no model was passed. Pass "
            f"models.load('{config.model}'), or set activations.kind=generator."
        )
    return model
