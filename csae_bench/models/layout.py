"""Weights in the order in memory in which the model multiplies by them."""

from __future__ import annotations

from typing import Any

import torch
from transformer_lens import HookedTransformer
from transformer_lens.components.mlps.gated_mlp import GatedMLP

_OF_ATTENTION: dict[str, tuple[int, ...]] = {
    "W_Q": (0, 2, 1),
    "W_K": (0, 2, 1),
    "W_V": (0, 2, 1),
    "_W_K": (0, 2, 1),
    "_W_V": (0, 2, 1),
    "W_O": (2, 0, 1),
}
"""Order of dimensions in memory, outermost first, in which no copy is needed."""
_OF_GATED_MLP: dict[str, tuple[int, ...]] = {"W_in": (1, 0), "W_gate": (1, 0), "W_out": (1, 0)}


def store_as_multiplied(model: HookedTransformer) -> None:
    """Let every matrix lie in memory as transformer-lens asks for it; its shape stays the same.

    It multiplies by transposed contiguous copies, which it makes in every pass: of Gemma-2-2B's
    unembedding alone 1.1 GiB. Of a matrix that lies so there is nothing to copy, and the product is
    of the same numbers in the same order.
    """
    for block in model.blocks:
        parts: Any = block
        _arrange(parts.attn, _OF_ATTENTION)
        if type(getattr(parts, "mlp", None)) is GatedMLP:
            _arrange(parts.mlp, _OF_GATED_MLP)
    _arrange(model.unembed, {"W_U": (1, 0)})


def _arrange(module: torch.nn.Module, orders: dict[str, tuple[int, ...]]) -> None:
    for name, parameter in module.named_parameters(recurse=False):
        order = orders.get(name)
        if order is not None and parameter.dim() == len(order):
            arranged = parameter.data.permute(order).contiguous()
            parameter.data = arranged.permute(torch.tensor(order).argsort().tolist())
