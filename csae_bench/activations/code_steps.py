"""What setting one latent's codes adds to the activations: decode(z') - decode(z)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae

_NEAR = 1e-4
"""How far the two ways may differ, as a share of the step: float32 rounds sums of d_sae terms to
about 1e-6 of their size."""


class CodeSteps:
    """Steps of an SAE's reconstruction.

    Where the decoder is linear, as is tried once, a step is the change of the code times what a
    code of 1 adds, and no codes of other latents are needed.

    Args:
        d_head: size of a head where the SAE takes heads apart.
    """

    def __init__(self, sae: AnySae, d_head: int | None) -> None:
        self._sae, self._d_head = sae, d_head
        self._is_linear: bool | None = None
        self._directions: dict[int, Tensor] = {}

    def encoded(self, acts: Float[Tensor, "n n_pos d_in"]) -> Float[Tensor, "n n_pos d_sae"]:
        """Return the codes."""
        rows = acts.unflatten(-1, (-1, self._d_head)) if self._d_head else acts
        return attributes.encode(self._sae, rows)

    def step(
        self,
        acts: Float[Tensor, "n n_pos d_in"],
        latent: int,
        codes: Float[Tensor, "n n_pos"],
        changed: Float[Tensor, "n n_pos"],
    ) -> Float[Tensor, "n n_pos d_in"]:
        """Return decode(z') - decode(z), in float32 on the CPU.

        Args:
            codes: the latent's in z, which are those of the activations.
            changed: the latent's in z'; all others are as in z.
        """
        if changed.dtype not in (torch.float32, torch.float64):
            return self._decoded(acts, latent, changed)
        if self._is_linear is None:
            self._is_linear = self._adds_up(acts, latent, codes)
        if not self._is_linear:
            return self._decoded(acts, latent, changed)
        return self._added(latent, changed - codes)

    def _adds_up(
        self, acts: Float[Tensor, "n n_pos d_in"], latent: int, codes: Float[Tensor, "n n_pos"]
    ) -> bool:
        """Try whether the latent's share of the decoder is all that a change of its codes adds.

        A change as large as the largest code of all: that of a small one is lost in rounding.
        """
        change = self.encoded(acts).abs().max().clamp_min(1).expand_as(codes)
        exact = self._decoded(acts, latent, codes + change)
        difference = exact - self._added(latent, change)
        return bool(difference.abs().max() <= _NEAR * exact.abs().max())

    def _added(
        self, latent: int, change: Float[Tensor, "n n_pos"]
    ) -> Float[Tensor, "n n_pos d_in"]:
        return (change[..., None] * self._direction(latent)).float().cpu()

    def _decoded(
        self, acts: Float[Tensor, "n n_pos d_in"], latent: int, changed: Float[Tensor, "n n_pos"]
    ) -> Float[Tensor, "n n_pos d_in"]:
        codes = self.encoded(acts)
        before = self._sae.decode(codes)
        codes[..., latent] = changed
        return (self._sae.decode(codes) - before).flatten(2).float().cpu()

    def _direction(self, latent: int) -> Float[Tensor, " d_in"]:
        if latent not in self._directions:
            codes = torch.zeros(
                1,
                1,
                attributes.d_sae(self._sae),
                dtype=attributes.dtype(self._sae),
                device=attributes.device(self._sae),
            )
            nothing = self._sae.decode(codes)
            codes[..., latent] = 1
            self._directions[latent] = (self._sae.decode(codes) - nothing).flatten()
        return self._directions[latent]
