"""The factor that brings activations to a common length before an SAE sees them."""

from __future__ import annotations

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor

N_BATCHES = 16
"""Batches from which the mean length is estimated; they are not trained on."""


def scaling_factor(batches: Iterator[Float[Tensor, "batch d_in"]]) -> float:
    """Return sqrt(d_in) over the mean length of the rows of the next `N_BATCHES` batches.

    SAELens calls it `expected_average_only_in`.
    """
    lengths: list[float] = []
    d_in = 0
    for _ in range(N_BATCHES):
        batch = next(batches)
        d_in = batch.shape[1]
        lengths.append(batch.norm(dim=1).mean().item())
    return d_in**0.5 * len(lengths) / sum(lengths)
