"""config.json of small models: one for every architecture that loads from a folder.

Settings are far from their defaults, so that leaving any of them out shows in the logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOKENS = ["<pad>", "<eos>", "<bos>", "<unk>", " ", "\n", *(f"w{i}" for i in range(26)), "a", "b"]
N_CTX = 48

_IDS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
_SIZES: dict[str, Any] = {
    "vocab_size": len(TOKENS),
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "max_position_embeddings": N_CTX,
    **_IDS,
}
_ROPE = {"rope_theta": 500.0, "rope_type": "default"}
_GROUPED: dict[str, Any] = {
    **_SIZES,
    "num_key_value_heads": 2,
    "head_dim": 12,  # not hidden_size / num_attention_heads
    "rms_norm_eps": 1e-3,
    "rope_parameters": _ROPE,
}
_ALTERNATING = ["sliding_attention", "full_attention"] * 2

SMALL: Mapping[str, Mapping[str, Any]] = {
    "GPT2LMHeadModel": {
        "model_type": "gpt2",
        "vocab_size": len(TOKENS),
        "n_embd": 32,
        "n_layer": 3,
        "n_head": 4,
        "n_positions": N_CTX,
        "layer_norm_epsilon": 1e-3,
        "bos_token_id": 2,
        "eos_token_id": 1,
    },
    "GPTNeoXForCausalLM": {
        "model_type": "gpt_neox",
        **_SIZES,
        "layer_norm_eps": 1e-3,
        "rope_parameters": {**_ROPE, "partial_rotary_factor": 0.5},
    },
    "LlamaForCausalLM": {"model_type": "llama", **_GROUPED},
    "MistralForCausalLM": {"model_type": "mistral", **_GROUPED, "sliding_window": 8},
    "Qwen2ForCausalLM": {
        "model_type": "qwen2",
        **_GROUPED,
        "use_sliding_window": True,
        "sliding_window": 8,
        "max_window_layers": 2,
    },
    "Qwen3ForCausalLM": {
        "model_type": "qwen3",
        **_GROUPED,
        "use_sliding_window": True,
        "sliding_window": 8,
        "layer_types": _ALTERNATING,
    },
    "Gemma2ForCausalLM": {
        "model_type": "gemma2",
        **_GROUPED,
        "sliding_window": 8,
        "attn_logit_softcapping": 1.0,
        "final_logit_softcapping": 2.0,
        "query_pre_attn_scalar": 40,
    },
    "Gemma3ForCausalLM": {
        "model_type": "gemma3_text",
        **_GROUPED,
        "sliding_window": 8,
        "layer_types": _ALTERNATING,
        "final_logit_softcapping": 2.0,
        "query_pre_attn_scalar": 40,
        "rope_parameters": {
            "full_attention": {"rope_theta": 500.0, "rope_type": "linear", "factor": 4.0},
            "sliding_attention": {"rope_theta": 50.0, "rope_type": "default"},
        },
    },
}
"""config.json by architecture."""


_NEEDED = {
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_hidden_layers",
    "vocab_size",
}
NEEDED: Mapping[str, set[str]] = {
    **dict.fromkeys(SMALL, _NEEDED),
    "GPT2LMHeadModel": {"n_embd", "n_head", "n_layer", "n_positions", "vocab_size"},
}
"""Keys that no architecture has defaults for: the sizes of a model."""


def layers_key(architecture: str) -> str:
    """What the architecture's config.json calls the number of its layers."""
    return "n_layer" if architecture == "GPT2LMHeadModel" else "num_hidden_layers"
