"""Rotary positions, with the scalings that both libraries compute."""

from __future__ import annotations

from typing import Any

from csae_bench.models.architectures.heads import ATTENTION_TYPES
from csae_bench.models.hf_config import HfConfig

BASE = 10_000.0
"""transformers' default."""


def rotary(config: HfConfig, attn_types: list[str] | None = None) -> dict[str, Any]:
    """Rotary positions of whole heads, the same in all layers.

    Args:
        attn_types: attention of each layer; none: global.
    """
    rope = rope_object(config)
    _check_whole_heads(config, rope)
    base = config if "rope_theta" not in rope.values else rope
    # transformer-lens scales linearly in global layers only
    is_linear_in_all = "local" not in (attn_types or [])
    return {
        "positional_embedding_type": "rotary",
        "rotary_base": base.number("rope_theta", BASE),
        **scaling(config, rope, ("default", "llama3", *(["linear"] if is_linear_in_all else []))),
    }


def rotary_by_layer_type(
    config: HfConfig, *, base: float, local_base: float, local_key: str
) -> dict[str, Any]:
    """Rotary positions with one base in global layers and another in local ones.

    Args:
        base: of global layers, in a config that leaves it out.
        local_base: the same of local layers.
        local_key: key of the local base before transformers 5.
    """
    whole = config.inner("rope_parameters")
    if set(whole.values) - set(ATTENTION_TYPES):
        raise config.wrong(
            "rope_parameters", f"an object of objects, {' and '.join(ATTENTION_TYPES)}"
        )
    per_type = {key: whole.inner(key) for key in ATTENTION_TYPES}
    of_local, of_global = per_type["sliding_attention"], per_type["full_attention"]
    older = config.inner("rope_scaling")
    if older.values:  # takes precedence, as in transformers, which knows no `type` here
        if "rope_type" not in older.values:
            raise config.wrong("rope_scaling", "null, or an object with a rope_type")
        of_global = HfConfig({**of_global.values, **older.values}, older.source)
    _check_whole_heads(config, of_local, of_global)
    scaling(config, of_local, ("default",))
    old_base = {"rope_theta": config.number("rope_theta", base)}
    old_local = {"rope_theta": config.number(local_key, local_base)}
    return {
        "positional_embedding_type": "rotary",
        "rotary_base": _with(old_base, of_global).number("rope_theta"),
        "rotary_base_local": _with(old_local, of_local).number("rope_theta"),
        **scaling(config, of_global, ("default", "linear")),
    }


def rope_object(config: HfConfig) -> HfConfig:
    """Rotary settings of all layers; empty where the config has none.

    rope_scaling, from before transformers 5, takes precedence, as in transformers.
    """
    older = config.inner("rope_scaling")
    if older.values:
        if not older.values.keys() & {"rope_type", "type"}:
            raise config.wrong("rope_scaling", "null, or an object with a rope_type")
        return older
    rope = config.inner("rope_parameters")
    if set(rope.values) & set(ATTENTION_TYPES):
        raise config.wrong("rope_parameters", "one object for all layers, with a rope_theta")
    return rope


def scaling(config: HfConfig, rope: HfConfig, allowed: tuple[str, ...]) -> dict[str, Any]:
    """How positions beyond those of the first training are made to fit."""
    key = "type" if "rope_type" not in rope.values and "type" in rope.values else "rope_type"
    kind = rope.choice(key, allowed, "default")
    if kind == "default":
        return {}
    if kind == "linear":
        return {"rotary_scaling_factor": rope.number("factor")}
    low, high = rope.number("low_freq_factor"), rope.number("high_freq_factor")
    if high <= low:
        raise rope.wrong("high_freq_factor", f"above low_freq_factor={low}")
    outside = "original_max_position_embeddings" in config.values  # takes precedence
    n_ctx = config.values.get("max_position_embeddings")
    return {
        "use_NTK_by_parts_rope": True,
        "NTK_by_parts_factor": rope.number("factor"),
        "NTK_by_parts_low_freq_factor": low,
        "NTK_by_parts_high_freq_factor": high,
        "NTK_original_ctx_len": (config if outside else rope).size(
            "original_max_position_embeddings", n_ctx
        ),
    }


def _with(defaults: dict[str, Any], rope: HfConfig) -> HfConfig:
    return HfConfig({**defaults, **rope.values}, rope.source)


def _check_whole_heads(*places: HfConfig) -> None:
    for place in places:
        if place.values.get("partial_rotary_factor") not in (None, 1):
            raise place.wrong(
                "partial_rotary_factor", "absent or 1, since this architecture turns whole heads"
            )
