"""Attention in one kernel, where nobody looks between its scores and what they weigh.

transformer-lens writes scores and pattern out, so that hooks can read them. Where no hook does,
torch's scaled_dot_product_attention gives the same values but for rounding (1e-4 of a logit), with
neither in memory. It is for drawing activations to train on; evals keep the attention with which
SAE-Bench's own numbers are made.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

_POSITIONS = ("standard", "rotary")


@contextmanager
def fused_attention(model: HookedTransformer | Any) -> Generator[None]:
    """Let attention layers that allow it compute in one kernel, within the context.

    A layer allows it whose scores are not capped, normalised or biased, that sees all positions
    before, and that no hook reads between scores and pattern. A pass with a mask of padding or a
    cache of keys is computed as always.
    """
    fused = [
        block.attn
        for block in getattr(model, "blocks", ())
        if _allows(getattr(block, "attn", None))
    ]
    for attention in fused:
        attention.forward = _Fused(attention)
    try:
        yield
    finally:
        for attention in fused:
            del attention.forward  # the class's own is seen again


class _Fused:
    """An attention layer's forward pass."""

    def __init__(self, attention: Any) -> None:
        self._attention = attention
        self._as_always = attention.forward

    def __call__(
        self, query_input: Tensor, key_input: Tensor, value_input: Tensor, **more: Any
    ) -> Tensor:
        if any(value is not None for value in more.values()):
            return self._as_always(query_input, key_input, value_input, **more)
        attention = self._attention
        q, k, v = attention.calculate_qkv_matrices(query_input, key_input, value_input)
        if attention.cfg.positional_embedding_type == "rotary":
            q = attention.hook_rot_q(attention.apply_rotary(q, 0, None))
            k = attention.hook_rot_k(attention.apply_rotary(k, 0, None))
        z = functional.scaled_dot_product_attention(
            *(x.transpose(1, 2) for x in (q, k, v)),
            is_causal=True,
            scale=1 / attention.attn_scale,
            enable_gqa=k.shape[2] != q.shape[2],
        )
        z = attention.hook_z(z.transpose(1, 2)).flatten(2)
        weights = attention.W_O.flatten(0, 1)
        return functional.linear(z, weights.T, attention.b_O)


def _allows(attention: Any) -> bool:
    from transformer_lens.components.attention import Attention
    from transformer_lens.components.grouped_query_attention import GroupedQueryAttention

    if type(attention) not in (Attention, GroupedQueryAttention):
        return False
    cfg = attention.cfg
    is_plain = (
        attention.attn_type == "global"
        and cfg.attention_dir == "causal"
        and attention._attention_dir_override in (None, "causal")
        and cfg.positional_embedding_type in _POSITIONS
        and not cfg.attn_scores_soft_cap > 0
        and not (cfg.use_attn_result or cfg.use_attention_sinks or cfg.use_logn_attn)
        and not (cfg.load_in_4bit or cfg.clip_qkv)
        and (attention.q_norm is None or cfg.use_qk_norm)  # OLMo's is of all heads at once
    )
    hooks = (attention.hook_attn_scores, attention.hook_pattern, attention.hook_result)
    return is_plain and not any(hook.has_hooks() for hook in hooks)
