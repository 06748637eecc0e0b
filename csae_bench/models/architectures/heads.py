"""Attention heads, and the layers that attend within a window."""

from __future__ import annotations

from typing import Any

from csae_bench.models.hf_config import HfConfig

ATTENTION_TYPES = {"sliding_attention": "local", "full_attention": "global"}
"""transformers' names of a layer's attention, and transformer-lens's."""


def attention_heads(config: HfConfig, *, d_head: int, n_key_value_heads: int) -> dict[str, Any]:
    """Heads of rotary attention, of which groups share keys and values.

    Args:
        d_head: width of a head.
        n_key_value_heads: of a config that leaves them out.
    """
    n_heads = config.size("num_attention_heads")
    n_shared = n_heads
    if not config.is_null("num_key_value_heads"):
        n_shared = config.size("num_key_value_heads", n_key_value_heads)
    if n_heads % n_shared:
        raise config.wrong("num_key_value_heads", f"a divisor of num_attention_heads={n_heads}")
    if d_head % 2:
        key = "head_dim" if "head_dim" in config.values else "num_attention_heads"
        raise config.wrong(key, f"such that the width of a head is even; it is {d_head}")
    return {"d_head": d_head, "n_heads": n_heads, "n_key_value_heads": n_shared}


def divided_width(config: HfConfig) -> int:
    """Width of a head where all heads together are as wide as the residual stream."""
    d_model = config.size("hidden_size")
    n_heads = config.size("num_attention_heads")
    if d_model % n_heads:
        raise config.wrong("num_attention_heads", f"a divisor of hidden_size={d_model}")
    return d_model // n_heads


def layer_types(config: HfConfig, default: list[str]) -> list[str]:
    """Attention of each layer, `local` or `global`; `default` where the config has no list."""
    written: object = config.values.get("layer_types")
    if written is None:
        return default
    if (
        not isinstance(written, list)
        or len(written) != len(default)
        or not set(written) <= set(ATTENTION_TYPES)
    ):
        raise config.wrong(
            "layer_types", f"a list of {len(default)} names, each {' or '.join(ATTENTION_TYPES)}"
        )
    return [ATTENTION_TYPES[layer_type] for layer_type in written]


def local_attention(config: HfConfig, attn_types: list[str]) -> dict[str, Any]:
    """Window of the layers that attend within one."""
    if "local" not in attn_types:
        return {}
    return {
        "use_local_attn": True,
        "attn_types": attn_types,
        "window_size": config.size("sliding_window", 4096),
    }
