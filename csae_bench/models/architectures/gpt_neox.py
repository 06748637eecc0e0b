"""GPT-NeoX, the architecture of Pythia."""

from __future__ import annotations

from typing import Any

from csae_bench.models.architectures.blocks import ACTIVATIONS, sizes
from csae_bench.models.architectures.heads import divided_width
from csae_bench.models.architectures.rotary import BASE, rope_object, scaling
from csae_bench.models.hf_config import HfConfig


def build_gpt_neox(config: HfConfig) -> dict[str, Any]:
    """GPT-NeoX: layer norms, attention and MLP side by side, a part of each head turned."""
    if not config.flag("attention_bias", True):
        raise config.wrong("attention_bias", "true, since transformer-lens reads these biases")
    d_head = divided_width(config)
    if config.values.get("head_dim") not in (None, d_head):
        raise config.wrong("head_dim", f"absent: heads are hidden_size / heads = {d_head} wide")
    rope = rope_object(config)
    base = rope.number("rope_theta") if "rope_theta" in rope.values else None
    return {
        **sizes(config, n_ctx=2048),
        "d_head": d_head,
        "n_heads": config.size("num_attention_heads"),
        "eps": config.number("layer_norm_eps", 1e-5),
        "act_fn": config.choice("hidden_act", ACTIVATIONS, "gelu"),
        "normalization_type": "LN",
        "parallel_attn_mlp": config.flag("use_parallel_residual", True),
        "positional_embedding_type": "rotary",
        "rotary_base": config.number("rotary_emb_base", BASE) if base is None else base,
        "rotary_dim": _turned(config, rope, d_head),
        **scaling(config, rope, ("default", "linear", "llama3")),
    }


def _turned(config: HfConfig, rope: HfConfig, d_head: int) -> int:
    """Dimensions of a head that turn with the position."""
    is_new = "partial_rotary_factor" in rope.values
    place, key = (rope, "partial_rotary_factor") if is_new else (config, "rotary_pct")
    n_turned = int(d_head * place.number(key, 0.25))  # rounded down, as transformers does
    if n_turned % 2 or not 2 <= n_turned <= d_head:
        raise place.wrong(
            key, f"a share of {d_head}, the width of a head, that is even and from 2 to {d_head}"
        )
    return n_turned
