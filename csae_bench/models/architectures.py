"""Architectures that load from a folder: their config.json in transformer-lens's words.

transformer-lens has this for the models it knows by name only; here it is read from the model's
own config, and everything that HookedTransformer cannot represent is refused.
Adding an architecture is a builder and a row of ARCHITECTURES.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from csae_bench.errors import ModelError
from csae_bench.models.hf_config import HfConfig

ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu")
"""Activation functions that transformers and transformer-lens call by the same name."""

_ATTENTION_TYPES = {"sliding_attention": "local", "full_attention": "global"}


def build_gemma2(config: HfConfig) -> dict[str, Any]:
    """Gemma 2: RMS norms before and after, rotary, alternating local attention, soft caps."""
    config.must_be_off("attention_bias")
    config.must_be_off("use_bidirectional_attention")
    n_layers = config.size("num_hidden_layers")
    n_heads = config.size("num_attention_heads")
    n_key_value_heads = config.size("num_key_value_heads", 4)
    if n_heads % n_key_value_heads:
        raise config.wrong("num_key_value_heads", f"a divisor of num_attention_heads={n_heads}")
    attn_types = _attention_types(config, n_layers)
    return {
        "d_model": config.size("hidden_size"),
        "d_head": config.size("head_dim", 256),
        "n_heads": n_heads,
        "n_key_value_heads": n_key_value_heads,
        "d_mlp": config.size("intermediate_size"),
        "n_layers": n_layers,
        "n_ctx": config.size("max_position_embeddings", 8192),
        "d_vocab": config.size("vocab_size"),
        "eps": config.number("rms_norm_eps", 1e-6),
        "act_fn": config.choice("hidden_activation", ACTIVATIONS, "gelu_pytorch_tanh"),
        "initializer_range": config.number("initializer_range", 0.02),
        "normalization_type": "RMS",
        "final_rms": True,
        "use_normalization_before_and_after": True,
        "gated_mlp": True,
        "positional_embedding_type": "rotary",
        "rotary_base": _rotary_base(config),
        "use_attn_scale": True,
        "attn_scale": config.number("query_pre_attn_scalar", 256) ** 0.5,
        "use_local_attn": "local" in attn_types,
        "attn_types": attn_types,
        "window_size": config.size("sliding_window", 4096) if "local" in attn_types else None,
        "attn_scores_soft_cap": _soft_cap(config, "attn_logit_softcapping", 50.0),
        "output_logits_soft_cap": _soft_cap(config, "final_logit_softcapping", 30.0),
    }


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


@dataclass(frozen=True, kw_only=True)
class ModelArchitecture:
    """Conversion of one of transformers' classes to a HookedTransformer."""

    build: Callable[[HfConfig], dict[str, Any]]
    """config.json -> fields of HookedTransformerConfig."""

    converter: str
    """The function of transformer_lens.pretrained.weight_conversions that renames its weights."""


ARCHITECTURES: Mapping[str, ModelArchitecture] = {
    "GPT2LMHeadModel": ModelArchitecture(build=build_gpt2, converter="convert_gpt2_weights"),
    "Gemma2ForCausalLM": ModelArchitecture(build=build_gemma2, converter="convert_gemma_weights"),
}


def hooked_config(config: HfConfig) -> dict[str, Any]:
    """Fields of the HookedTransformerConfig that a config.json describes.

    Everything but name, device and dtype. Raises ModelError for an architecture or a setting that
    cannot be represented.
    """
    architecture = config.architecture
    if architecture not in ARCHITECTURES:
        raise ModelError(
            f"{config.source}: architecture is {architecture}; supported from a folder are "
            f"{', '.join(ARCHITECTURES)}. Use one of these, or a hub name that transformer-lens "
            "knows."
        )
    config.must_be_off("quantization_config")
    return {
        **ARCHITECTURES[architecture].build(config),
        "original_architecture": architecture,
        "init_weights": False,
        "default_prepend_bos": True,
    }


def _attention_types(config: HfConfig, n_layers: int) -> list[str]:
    layer_types: object = config.values.get("layer_types")
    if layer_types is None:  # as published before transformers wrote the list out
        return ["global" if layer % 2 else "local" for layer in range(n_layers)]
    if (
        not isinstance(layer_types, list)
        or len(layer_types) != n_layers
        or not set(layer_types) <= set(_ATTENTION_TYPES)
    ):
        raise config.wrong(
            "layer_types", f"a list of {n_layers} names, each {' or '.join(_ATTENTION_TYPES)}"
        )
    return [_ATTENTION_TYPES[layer_type] for layer_type in layer_types]


def _rotary_base(config: HfConfig) -> float:
    config.must_be_off("rope_scaling")
    rope: object = config.values.get("rope_parameters")
    if rope is None:  # as published before transformers 5
        return config.number("rope_theta", 10000.0)
    if not isinstance(rope, dict):
        raise config.wrong("rope_parameters", "a JSON object")
    inner = HfConfig(rope, f"{config.source}, rope_parameters")
    inner.choice("rope_type", ("default",), "default")
    return inner.number("rope_theta", 10000.0)


def _soft_cap(config: HfConfig, key: str, default: float) -> float:
    cap = config.optional_number(key, default)
    return -1.0 if cap is None else cap  # -1 is transformer-lens's word for none
