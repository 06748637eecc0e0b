"""Gemma 2 and 3, the text models."""

from __future__ import annotations

from typing import Any

from csae_bench.models.architectures.blocks import gated_rms_blocks
from csae_bench.models.architectures.heads import (
    attention_heads,
    divided_width,
    layer_types,
    local_attention,
)
from csae_bench.models.architectures.rotary import rotary, rotary_by_layer_type
from csae_bench.models.hf_config import HfConfig

_PATTERN = 6
"""Every sixth layer of Gemma 3 attends to everything."""


def build_gemma2(config: HfConfig) -> dict[str, Any]:
    """Gemma 2: RMS norms before and after, rotary, alternating local attention, soft caps."""
    n_layers = config.size("num_hidden_layers")
    # as published before transformers wrote the list out
    alternating = ["global" if layer % 2 else "local" for layer in range(n_layers)]
    attn_types = layer_types(config, alternating)
    return {
        **_blocks(config, n_ctx=8192),
        **rotary(config, attn_types),
        **local_attention(config, attn_types),
        "attn_scores_soft_cap": _soft_cap(config, "attn_logit_softcapping", 50.0),
        "output_logits_soft_cap": _soft_cap(config, "final_logit_softcapping", 30.0),
    }


def build_gemma3(config: HfConfig) -> dict[str, Any]:
    """Gemma 3: as Gemma 2, with norms of queries and keys and a rotary base for local layers."""
    config.must_be_off("attn_logit_softcapping", "transformers does not apply it to Gemma 3")
    divided_width(config)  # transformers insists on it, whatever head_dim is
    n_layers = config.size("num_hidden_layers")
    pattern = config.size("sliding_window_pattern", _PATTERN)
    in_turn = ["local" if (layer + 1) % pattern else "global" for layer in range(n_layers)]
    attn_types = layer_types(config, in_turn)
    return {
        **_blocks(config, n_ctx=131_072),
        **rotary_by_layer_type(
            config, base=1_000_000.0, local_base=10_000.0, local_key="rope_local_base_freq"
        ),
        **local_attention(config, attn_types),
        "use_qk_norm": True,
        "output_logits_soft_cap": _soft_cap(config, "final_logit_softcapping", None),
    }


def _blocks(config: HfConfig, *, n_ctx: int) -> dict[str, Any]:
    config.must_be_off("attention_bias")
    config.must_be_off("use_bidirectional_attention")
    return {
        **gated_rms_blocks(
            config, n_ctx=n_ctx, activation=("hidden_activation", "gelu_pytorch_tanh")
        ),
        **attention_heads(config, d_head=config.size("head_dim", 256), n_key_value_heads=4),
        "initializer_range": config.number("initializer_range", 0.02),
        "use_normalization_before_and_after": True,
        "use_attn_scale": True,
        "attn_scale": config.number("query_pre_attn_scalar", 256) ** 0.5,
    }


def _soft_cap(config: HfConfig, key: str, default: float | None) -> float:
    cap = config.optional_number(key, default)
    return -1.0 if cap is None else cap  # -1 is transformer-lens's word for none
