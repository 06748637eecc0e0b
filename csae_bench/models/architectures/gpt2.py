"""GPT-2."""

from __future__ import annotations

from typing import Any

from csae_bench.models.architectures.blocks import ACTIVATIONS
from csae_bench.models.hf_config import HfConfig


def build_gpt2(config: HfConfig) -> dict[str, Any]:
    """GPT-2: layer norms, learned positions."""
    config.must_be_off("add_cross_attention")
    d_model = config.size("n_embd")
    n_heads = config.size("n_head")
    if d_model % n_heads:
        raise config.wrong("n_head", f"a divisor of n_embd={d_model}")
    has_inner_size = config.values.get("n_inner") is not None
    return {
        "d_model": d_model,
        "d_head": d_model // n_heads,
        "n_heads": n_heads,
        "d_mlp": config.size("n_inner") if has_inner_size else 4 * d_model,
        "n_layers": config.size("n_layer"),
        "n_ctx": config.size("n_positions"),
        "d_vocab": config.size("vocab_size"),
        "eps": config.number("layer_norm_epsilon", 1e-5),
        "act_fn": config.choice("activation_function", ACTIVATIONS, "gelu_new"),
        "normalization_type": "LN",
        "positional_embedding_type": "standard",
        "use_attn_scale": config.flag("scale_attn_weights", True),
        "scale_attn_by_inverse_layer_idx": config.flag("scale_attn_by_inverse_layer_idx", False),
    }
