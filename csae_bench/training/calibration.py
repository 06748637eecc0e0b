"""The inference threshold of BatchTopK kinds, set so that L0 at inference is that of training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE
from sae_lens.saes.sae import SAE
from torch import Tensor


@torch.no_grad()
def calibrate_threshold(
    sae: BatchTopKTrainingSAE, rows: Iterator[Float[Tensor, "batch d_in"]], n_rows: int
) -> float:
    """Set `sae.topk_threshold` to the value that k pre-activations a row exceed, on average.

    It is the (k * n)-th largest pre-activation of n >= n_rows fresh rows: what BatchTopK, which
    keeps the k * batch largest of each batch, uses for a single endless batch. SAELens takes
    a running mean of each batch's smallest active value instead, which starts at 0 and is a
    minimum of thousands, so that short trainings infer with too many latents. Where rows have
    fewer than k positive pre-activations the threshold is 0, as then all of them are active.
    """
    kept = torch.empty(0, device=sae.device)
    floor, n_seen = 0.0, 0
    n_batches = 0
    while n_seen < n_rows:
        batch = next(rows)
        n_batches = n_batches or -(-n_rows // len(batch))
        n_kept = round(sae.cfg.k * n_batches * len(batch))
        values = pre_activations(sae, batch.to(sae.device)).float()
        kept = torch.cat([kept, values[values > floor]])
        if len(kept) > n_kept:
            kept = kept.topk(n_kept, sorted=False).values
            floor = kept.min().item()
        n_seen += len(batch)
    sae.topk_threshold.fill_(floor)
    return floor


def pre_activations(
    sae: BatchTopKTrainingSAE, rows: Float[Tensor, "batch d_in"]
) -> Float[Tensor, "batch d_sae"]:
    """Compute what BatchTopK chooses from; the choice itself is most of `sae.encode`'s time."""
    hidden = sae.process_sae_in(rows) @ sae.W_enc + sae.b_enc
    return hidden * sae.W_dec.norm(dim=-1) if sae.cfg.rescale_acts_by_decoder_norm else hidden


@torch.no_grad()
def mean_l0(sae: SAE[Any], batches: list[Float[Tensor, "batch d_in"]]) -> float:
    """Compute the mean number of active latents of a row."""
    n_active = sum(int(sae.encode(batch.to(sae.device)).bool().sum()) for batch in batches)
    return n_active / sum(len(batch) for batch in batches)
