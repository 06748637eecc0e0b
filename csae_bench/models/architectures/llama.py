"""Llama, and Mistral, which adds a window."""

from __future__ import annotations

from typing import Any

from csae_bench.models.architectures.blocks import gated_rms_blocks
from csae_bench.models.architectures.heads import attention_heads, divided_width, local_attention
from csae_bench.models.architectures.rotary import rotary
from csae_bench.models.hf_config import HfConfig


def build_llama(config: HfConfig) -> dict[str, Any]:
    """Llama 1 to 3 and whatever is written in its form, SmolLM2 among them."""
    for key in ("attention_bias", "mlp_bias"):
        config.must_be_off(key, "transformer-lens reads no biases of a Llama")
    width = divided_width(config)  # transformers insists on it, whatever head_dim is
    return {
        **gated_rms_blocks(config, n_ctx=2048),
        **attention_heads(
            config,
            d_head=width if config.is_null("head_dim") else config.size("head_dim", width),
            n_key_value_heads=config.size("num_attention_heads"),
        ),
        **rotary(config),
    }


def build_mistral(config: HfConfig) -> dict[str, Any]:
    """Mistral: Llama with a window in all layers, or in none."""
    attn_type = "global" if config.is_null("sliding_window") else "local"
    attn_types = [attn_type] * config.size("num_hidden_layers")
    is_divided = config.values.get("head_dim") is None
    d_head = divided_width(config) if is_divided else config.size("head_dim")
    return {
        **gated_rms_blocks(config, n_ctx=131_072),
        **attention_heads(config, d_head=d_head, n_key_value_heads=8),
        **rotary(config, attn_types),
        **local_attention(config, attn_types),
    }
