"""The rest of a model after a hook: which layer runs next, and what the last one leads to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

_BETWEEN_LAYERS = re.compile(r"blocks\.(\d+)\.hook_resid_(pre|post)")


def layer_after(hook_name: str) -> int | None:
    """The first layer that runs after the residual stream at this hook; None at any other hook.

    It is the number of layers after the last one.
    """
    match = _BETWEEN_LAYERS.fullmatch(hook_name)
    return None if match is None else int(match[1]) + (match[2] == "post")


def final_logits(
    model: HookedTransformer,
    resid: Float[Tensor, "n n_pos d_model"],
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "n n_pos d_vocab"]:
    """Logits of a residual stream that has passed the last layer: norm, unembedding, soft cap.

    Args:
        dtype: of the logits and their soft cap; none: the model's.
    """
    if model.cfg.normalization_type is not None:
        resid = model.ln_final(resid)
    logits = model.unembed(resid).to(dtype)
    cap = model.cfg.output_logits_soft_cap
    return cap * (logits / cap).tanh() if cap > 0 else logits
