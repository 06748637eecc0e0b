"""Qwen 2, with which 1.5 and 2.5 share their form, and Qwen 3; the dense models."""

from __future__ import annotations

from typing import Any

from csae_bench.models.architectures.blocks import gated_rms_blocks
from csae_bench.models.architectures.heads import (
    attention_heads,
    divided_width,
    layer_types,
    local_attention,
)
from csae_bench.models.architectures.rotary import rotary
from csae_bench.models.hf_config import HfConfig


def build_qwen2(config: HfConfig) -> dict[str, Any]:
    """Qwen 2: Llama with biases of queries, keys and values, and perhaps a window."""
    given = "head_dim" in config.values
    d_head = config.size("head_dim") if given else divided_width(config)
    return _build(config, d_head)


def build_qwen3(config: HfConfig) -> dict[str, Any]:
    """Qwen 3: Llama with norms of queries and keys, and perhaps a window."""
    config.must_be_off("attention_bias", "transformer-lens reads no biases of a Qwen 3")
    return {**_build(config, config.size("head_dim", 128)), "use_qk_norm": True}


def _build(config: HfConfig, d_head: int) -> dict[str, Any]:
    attn_types = _attention_types(config)
    return {
        **gated_rms_blocks(config, n_ctx=32_768),
        **attention_heads(config, d_head=d_head, n_key_value_heads=32),
        **rotary(config, attn_types),
        **local_attention(config, attn_types),
    }


def _attention_types(config: HfConfig) -> list[str]:
    """Attention of each layer: the first layers attend to everything, the others to a window."""
    n_layers = config.size("num_hidden_layers")
    uses_window = config.flag("use_sliding_window", False)
    has_window = uses_window and not config.is_null("sliding_window")
    n_global = config.count("max_window_layers", 28) if has_window else n_layers
    in_turn = ["local" if layer >= n_global else "global" for layer in range(n_layers)]
    attn_types = layer_types(config, in_turn)
    if "local" in attn_types and not uses_window:
        raise config.wrong("use_sliding_window", "true, since layer_types has sliding_attention")
    return attn_types
