"""Sizes, norms and MLPs that most architectures share."""

from __future__ import annotations

from typing import Any

from csae_bench.models.hf_config import HfConfig

ACTIVATIONS = ("gelu", "gelu_fast", "gelu_new", "gelu_pytorch_tanh", "relu", "silu")
"""Activation functions that transformers and transformer-lens call by the same name."""


def gated_rms_blocks(
    config: HfConfig, *, n_ctx: int, activation: tuple[str, str] = ("hidden_act", "silu")
) -> dict[str, Any]:
    """RMS norms and a gated MLP, as in Llama and all that followed it.

    Args:
        n_ctx: of a config that leaves max_position_embeddings out.
        activation: key of the activation function, and its default.
    """
    return {
        **sizes(config, n_ctx=n_ctx),
        "eps": config.number("rms_norm_eps", 1e-6),
        "act_fn": config.choice(activation[0], ACTIVATIONS, activation[1]),
        "normalization_type": "RMS",
        "final_rms": True,
        "gated_mlp": True,
    }


def sizes(config: HfConfig, *, n_ctx: int) -> dict[str, Any]:
    """Width, depth, vocabulary and context, under the names that most configs have for them."""
    return {
        "d_model": config.size("hidden_size"),
        "d_mlp": config.size("intermediate_size"),
        "n_layers": config.size("num_hidden_layers"),
        "n_ctx": config.size("max_position_embeddings", n_ctx),
        "d_vocab": config.size("vocab_size"),
    }
