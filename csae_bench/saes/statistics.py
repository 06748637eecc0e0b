"""Running means of latent statistics over batches; see `LatentStatistics`."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from csae_bench.saes.active_codes import ActiveCodes
from csae_bench.saes.views import LatentStatistics

DECAY = 0.98
"""Decay of the running means; they are debiased, so the first batch counts in full."""

_ROWS_AT_A_TIME = 512
"""Even, so that no pair is torn. Bounds the memory where most latents are active, as at the start
of a ReLU's training."""


def _of_batch(
    codes: Float[Tensor, "n_rows d_sae"], active: ActiveCodes | None
) -> tuple[Tensor, Tensor | None]:
    """Rate, rate in both views, mean and second moment of each latent, [4, d_sae]; and the mean of
    the rows' smallest active codes, None where nothing is active.

    From the active codes alone, some rows at a time where they have to be found: sums over whole
    columns of mostly zeros take as long as a tenth of a training step.
    """
    n_rows, d_sae = codes.shape
    sums = codes.new_zeros(4, d_sae, dtype=torch.float32)
    smallest = codes.new_full((n_rows,), torch.inf, dtype=torch.float32)
    for row, latent, values in _parts(codes) if active is None else (active,):
        values = values.detach().float()
        in_both = (codes[row ^ 1, latent] > 0) & (row % 2 == 0)
        for total, of_code in zip(
            sums, (torch.ones_like(values), in_both.float(), values, values.square()), strict=True
        ):
            total.index_add_(0, latent, of_code)
        smallest.scatter_reduce_(0, row, values, "amin")
    sums /= n_rows
    sums[1] *= 2  # of the pairs, not of the rows
    finite = smallest[smallest.isfinite()]
    return sums, finite.mean() if len(finite) else None


def _parts(codes: Float[Tensor, "n_rows d_sae"]) -> Iterator[ActiveCodes]:
    for start in range(0, len(codes), _ROWS_AT_A_TIME):
        part = codes[start : start + _ROWS_AT_A_TIME]
        row, latent = (part > 0).nonzero(as_tuple=True)
        yield ActiveCodes(row + start, latent, part[row, latent])


class RunningStatistics(nn.Module):
    """Debiased running means, as buffers: they travel with a training's state."""

    sums: Tensor
    weight: Tensor
    threshold_sum: Tensor
    threshold_weight: Tensor

    def __init__(self, d_sae: int, device: torch.device | str) -> None:
        super().__init__()
        # rate, both, mean, second moment
        self.register_buffer("sums", torch.zeros(4, d_sae, device=device))
        self.register_buffer("weight", torch.zeros((), device=device))
        self.register_buffer("threshold_sum", torch.zeros((), device=device))
        # of its own: a batch in which nothing is active says nothing of the threshold
        self.register_buffer("threshold_weight", torch.zeros((), device=device))

    @override
    def forward(self, codes: Tensor) -> LatentStatistics:
        """Take in a batch of interleaved pairs, and return the updated statistics."""
        self.update(codes)
        return self.latest()

    @torch.no_grad()
    def update(self, codes: Tensor, active: ActiveCodes | None = None) -> None:
        """Take in the codes [2 * n_pairs, d_sae] of a batch of interleaved pairs.

        Args:
            active: the same codes without the zeros, where they are known.
        """
        batch, smallest = _of_batch(codes, active)
        self.sums.lerp_(batch, 1 - DECAY)
        self.weight.lerp_(torch.ones_like(self.weight), 1 - DECAY)
        if smallest is not None:
            self.threshold_sum.lerp_(smallest, 1 - DECAY)
            self.threshold_weight.lerp_(torch.ones_like(self.threshold_weight), 1 - DECAY)

    def latest(self) -> LatentStatistics:
        """Return the statistics so far; all 0 before the first batch."""
        rate, both, mean, second = self.sums / self.weight.clamp_min(1e-12)
        return LatentStatistics(
            rate=rate,
            both=both,
            mean=mean,
            variance=(second - mean.square()).clamp_min(0),
            threshold=self.threshold_sum / self.threshold_weight.clamp_min(1e-12),
        )
