"""The model table: the names that stand for a model. Adding a model is adding a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csae_bench import tinyworld
from csae_bench.models import smollm2


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """Entry of the table for one model."""

    folder: Callable[[], Path] | None = None
    """Folder of a model on this machine; none: it is on the Hugging Face hub under its name."""

    prepare: Callable[[], None] | None = None
    """Makes the folder out of another package; none: it is bundled."""

    default_layer: int | None = None
    """Layer whose output the default hook reads; none: the last of the first two thirds."""

    published_config: Mapping[str, Any] | None = None
    """The hub model's config.json as published, so that it is described without a network."""


_GEMMA_2_2B: Mapping[str, Any] = {
    "architectures": ["Gemma2ForCausalLM"],
    "attention_bias": False,
    "attn_logit_softcapping": 50.0,
    "final_logit_softcapping": 30.0,
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 2304,
    "initializer_range": 0.02,
    "intermediate_size": 9216,
    "max_position_embeddings": 8192,
    "num_attention_heads": 8,
    "num_hidden_layers": 26,
    "num_key_value_heads": 4,
    "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-06,
    "rope_theta": 10000.0,
    "sliding_window": 4096,
    "vocab_size": 256000,
}

_GPT2: Mapping[str, Any] = {
    "architectures": ["GPT2LMHeadModel"],
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-05,
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
    "vocab_size": 50257,
}

MODELS: Mapping[str, ModelRow] = {
    tinyworld.MODEL_NAME: ModelRow(folder=tinyworld.model_dir),
    # a third of the way: SmolLM2's recipe trains there
    smollm2.MODEL_NAME: ModelRow(folder=smollm2.folder, prepare=smollm2.prepare, default_layer=10),
    # 19, not 17: the layer that the project's recipe for this model trains on
    "google/gemma-2-2b": ModelRow(default_layer=19, published_config=_GEMMA_2_2B),
    "google/gemma-2-2b-it": ModelRow(default_layer=19, published_config=_GEMMA_2_2B),
    "gpt2": ModelRow(published_config=_GPT2),
}


def model_names() -> list[str]:
    """Names in the table, in its order; `describe` and `load` take transformer-lens's names too."""
    return list(MODELS)
