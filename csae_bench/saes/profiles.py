"""Profiles of factors' values: which latents come on with each."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from csae_bench.errors import TrainingError
from csae_bench.saes.views import Views

DECAY = 0.95
"""Decay of the running means; they are debiased, so a value's first batch counts in full."""


class ValueProfiles(nn.Module):
    """Debiased running means, as buffers: they travel with a training's state.

    Of each value, over the batches in which it came or went, the mean of [u]_+ where it came on
    and of [-u]_+ where it went off; u is the change of the code, see `Views.shift`.
    """

    sums: Tensor
    weight: Tensor

    def __init__(self, n_values: int, d_sae: int, device: torch.device | str) -> None:
        super().__init__()
        self.register_buffer("sums", torch.zeros(n_values, d_sae, device=device))
        self.register_buffer("weight", torch.zeros(n_values, device=device))

    @torch.no_grad()
    def update(self, views: Views) -> None:
        """Take in a batch of minimal pairs; those whose values are not known are left out.

        Raises:
            TrainingError: there are more values than profiles.
        """
        values = views.pairs.values
        if values is None:
            return
        highest = int(values.max())
        if highest >= len(self.sums):
            raise TrainingError(
                f"sae.losses.swap.n_values is {len(self.sums)}; the minimal pairs have a value "
                f"number {highest}, so it must be at least {highest + 1}."
            )
        old, new = values.clamp_min(0).unbind(1)
        known = (values >= 0).all(1).to(self.sums.dtype)
        shift = views.shift("codes")
        change = shift.change.to(self.sums.dtype) * known[shift.pair]
        mean, counts = torch.zeros_like(self.sums), torch.zeros_like(self.weight)
        for of_pair, signed in ((new, change), (old, -change)):
            place = of_pair[shift.pair], shift.latent
            mean.index_put_(place, signed.clamp_min(0), accumulate=True)
            counts.index_add_(0, of_pair, known)
        mean /= counts.clamp_min(1)[:, None]
        seen = counts > 0
        self.sums.copy_(self.sums.lerp(mean, 1 - DECAY).where(seen[:, None], self.sums))
        self.weight.copy_((self.weight + (1 - DECAY) * (1 - self.weight)).where(seen, self.weight))

    def latest(self) -> Float[Tensor, "n_values d_sae"]:
        """Return the profiles so far; 0 of a value that never came or went."""
        return self.sums / self.weight.clamp_min(1e-12)[:, None]
