"""Counted operations: multiplications and additions of products of matrices, per token."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


class Operations(NamedTuple):
    """Operations of one token."""

    prefix: float
    """Of the layers up to the hook."""
    suffix: float
    """Of the layers after it, and of the unembedding."""
    sae: float
    """Of encoding and decoding."""

    def of_sae_bench(self, n_saes: int, n_reconstruction: int, n_sparsity: int) -> float:
        """Count those of core by SAE-Bench's `multiple_evals`, for a token of each batch."""
        whole = self.prefix + self.suffix
        of_one = n_reconstruction * (3 * whole + self.sae) + n_sparsity * (self.prefix + self.sae)
        return n_saes * of_one

    def of_ours(self, n_saes: int, n_reconstruction: int, n_sparsity: int) -> float:
        """Count those of core by ours: what no SAE changes runs once."""
        reconstruction = self.prefix + (n_saes + 2) * self.suffix + n_saes * self.sae
        return n_reconstruction * reconstruction + n_sparsity * (self.prefix + n_saes * self.sae)


def count_operations(model: HookedTransformer, layer: int, context: int, d_sae: int) -> Operations:
    """Count operations with an SAE after a layer, attention's products included."""
    return operations_of_shape(model.cfg.to_dict(), layer, context, d_sae)


def operations_of_shape(
    shape: Mapping[str, Any], layer: int, context: int, d_sae: int
) -> Operations:
    """Count the same from the fields of a HookedTransformerConfig, without a model."""
    d_model, d_head, n_heads = shape["d_model"], shape["d_head"], shape["n_heads"]
    d_mlp = shape.get("d_mlp") or 4 * d_model
    n_kv = shape.get("n_key_value_heads") or n_heads
    projections = 2 * d_model * d_head * (2 * n_heads + 2 * n_kv)
    attention = 2 * 2 * context * n_heads * d_head
    mlp = (3 if shape.get("gated_mlp") else 2) * 2 * d_model * d_mlp
    of_layer = projections + attention + mlp
    return Operations(
        prefix=(layer + 1) * of_layer,
        suffix=(shape["n_layers"] - layer - 1) * of_layer + 2 * d_model * shape["d_vocab"],
        sae=2 * 2 * d_model * d_sae,
    )


def matmul_rate(side: int = 2048, n_times: int = 5) -> float:
    """Return the operations a second of a product of two square float32 matrices, the best."""
    import torch

    left, right = torch.randn(side, side), torch.randn(side, side)
    best = 0.0
    for _ in range(n_times + 1):
        started = time.perf_counter()
        product: Any = left @ right
        best = max(best, 2 * side**3 / (time.perf_counter() - started))
        del product
    return best
