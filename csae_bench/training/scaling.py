"""The factor that brings activations to a common length before an SAE sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jaxtyping import Float
from sae_lens.saes.sae import TrainingSAE
from sae_lens.training.activation_scaler import ActivationScaler
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


def needs_scaling(sae: TrainingSAE[Any]) -> bool:
    """Return whether the SAE asks for activations of a common length."""
    return sae.cfg.normalize_activations == "expected_average_only_in"


def estimate_scaling(
    sae: TrainingSAE[Any], scaler: ActivationScaler, batches: Iterator[Float[Tensor, "batch d_in"]]
) -> None:
    """Set the factor where the SAE needs one and no earlier attempt has set it."""
    if needs_scaling(sae) and scaler.scaling_factor is None:
        scaler.scaling_factor = scaling_factor(batches)


def fold_scaling(sae: TrainingSAE[Any], scaler: ActivationScaler) -> None:
    """Move the factor into the SAE's weights, which then take activations as they are."""
    if scaler.scaling_factor is not None:
        sae.fold_activation_norm_scaling_factor(scaler.scaling_factor)
        scaler.scaling_factor = None
