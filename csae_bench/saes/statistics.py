"""Running means over batches of what the latents do; see `LatentStatistics`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from csae_bench.saes.views import LatentStatistics, split

DECAY = 0.98
"""Of the running means; they are debiased, so the first batch counts in full."""


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
        """Take in a batch of interleaved pairs, and say what is known with it."""
        self.update(codes)
        return self.latest()

    @torch.no_grad()
    def update(self, codes: Tensor) -> None:
        """Take in the codes [2 * n_pairs, d_sae] of a batch of interleaved pairs."""
        with torch.autocast(codes.device.type, enabled=False):
            active = codes > 0
            first, second = split(active)
            n_rows = len(codes)
            batch = torch.stack(
                [
                    active.sum(0).float() / n_rows,
                    (first & second).sum(0).float() / (n_rows // 2),
                    codes.sum(0, dtype=torch.float32) / n_rows,
                    torch.linalg.vector_norm(codes, dim=0, dtype=torch.float32).square() / n_rows,
                ]
            )
            smallest = codes.float().masked_fill(~active, torch.inf).amin(1)
            smallest = smallest[smallest.isfinite()]
            self.sums.lerp_(batch, 1 - DECAY)
            self.weight.lerp_(torch.ones_like(self.weight), 1 - DECAY)
            if len(smallest):
                self.threshold_sum.lerp_(smallest.mean(), 1 - DECAY)
                self.threshold_weight.lerp_(torch.ones_like(self.threshold_weight), 1 - DECAY)

    def latest(self) -> LatentStatistics:
        """What is known so far; all 0 before the first batch."""
        rate, both, mean, second = self.sums / self.weight.clamp_min(1e-12)
        return LatentStatistics(
            rate=rate,
            both=both,
            mean=mean,
            variance=(second - mean.square()).clamp_min(0),
            threshold=self.threshold_sum / self.threshold_weight.clamp_min(1e-12),
        )
