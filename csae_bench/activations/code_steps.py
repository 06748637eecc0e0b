"""What setting one latent's codes adds to the activations: decode(z') - decode(z)."""

from __future__ import annotations

from collections.abc import Sequence

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
        latents: those whose codes are at hand beforehand.
        d_head: size of a head where the SAE takes heads apart.
    """

    def __init__(self, sae: AnySae, latents: Sequence[int], d_head: int | None) -> None:
        self._sae, self._d_head = sae, d_head
        self.latents = tuple(latents)
        self._is_linear: bool | None = None
        self._directions: dict[int, Tensor] = {}

    def encoded(self, acts: Float[Tensor, "n n_pos d_in"]) -> Float[Tensor, "n n_pos d_sae"]:
        """Return the codes."""
        rows = acts.unflatten(-1, (-1, self._d_head)) if self._d_head else acts
        return attributes.encode(self._sae, rows)

    def step(
        self,
        acts: Float[Tensor, "n n_pos d_in"],
        known: Float[Tensor, "n n_pos n_latents"],
        latent: int,
        changed: Float[Tensor, "n n_pos"],
    ) -> Float[Tensor, "n n_pos d_in"]:
        """Return decode(z') - decode(z), in float32 on the CPU.

        Args:
            known: codes of `latents`.
            changed: the latent's codes in z'; all others are those of the activations.
        """
        if self._is_linear is False or changed.dtype not in (torch.float32, torch.float64):
            return self._decoded(acts, latent, changed)
        change = changed - known[..., self.latents.index(latent)]
        added = (change[..., None] * self._direction(latent)).float().cpu()
        if self._is_linear is None:
            exact = self._decoded(acts, latent, changed)
            near = _NEAR * (1 + float(exact.abs().max()))
            self._is_linear = bool((exact - added).abs().max() <= near)
            return added if self._is_linear else exact
        return added

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
