"""Mean activations of texts with latents ablated, without encoding and decoding them each time.

Ablating a latent changes a token's reconstruction where the latent is active, and nowhere else. So
texts are encoded and decoded once, and for each ablation only the tokens are decoded again at which
one of its latents is active. A row of a matrix product is the same however many rows there are:
the values are those of decoding everything again, to the last bit.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from csae_bench.saes.active_codes import ActiveCodes, rows_and_latents

ROWS_AT_ONCE = 2048
"""Rows that are encoded or decoded at once; a multiple of `_LEAST_ROWS`."""
_LEAST_ROWS = 16
"""Rows of a product at least: with fewer, libraries add up in another order."""


class AblatedTexts:
    """The texts of a class, encoded by one SAE.

    Args:
        acts: zero where a text has ended, and at special tokens.
    """

    @torch.no_grad()
    def __init__(self, sae: Any, acts: Float[Tensor, "n n_pos d_in"]) -> None:
        self._sae = sae
        # as SAE-Bench tells tokens from padding
        self._counts = (acts.sum(dim=2) != 0).to(acts.dtype).sum(dim=1)
        has_row = (acts != 0).any(dim=2)
        n_rows = int(has_row.sum())
        self._zero = n_rows
        """Row that stands for all padding: the SAE may be active there too."""
        self._place = torch.full_like(has_row, n_rows, dtype=torch.long)
        self._place[has_row] = torch.arange(n_rows, device=acts.device)
        fill = _LEAST_ROWS - n_rows % _LEAST_ROWS
        rows = torch.cat([acts[has_row], acts.new_zeros(fill, acts.shape[2])])
        self._codes, self._error, self._unchanged = self._encoded(rows)
        self._pooled = self._mean(self._unchanged, slice(None))

    @torch.no_grad()
    def mean_acts(self, is_ablated: Bool[Tensor, " d_sae"]) -> Float[Tensor, "n d_in"]:
        """Return each text's mean activation with these latents set to zero.

        SAE-Bench's: changes at padding are added in, and divided by the tokens without it.
        """
        affected = self._codes.row[is_ablated[self._codes.latent]].unique()
        if not len(affected):
            return self._pooled
        changed = self._unchanged.clone()
        for rows in affected.split(ROWS_AT_ONCE):
            changed[rows] = self._decoded(rows, is_ablated) + self._error[rows]
        is_affected = torch.zeros(len(changed), dtype=torch.bool, device=changed.device)
        is_affected[affected] = True
        texts = is_affected[self._place].any(dim=1).nonzero().squeeze(1)
        pooled = self._pooled.clone()
        pooled[texts] = self._mean(changed, texts)
        return pooled

    def _encoded(self, rows: Float[Tensor, "n_rows d_in"]) -> tuple[ActiveCodes, Tensor, Tensor]:
        codes: list[ActiveCodes] = []
        errors: list[Tensor] = []
        unchanged: list[Tensor] = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            x = rows[start : start + ROWS_AT_ONCE]
            dense = self._sae.encode(x)
            reconstruction = self._sae.decode(dense)
            errors.append(x - reconstruction)
            unchanged.append(reconstruction + errors[-1])
            row, latent = rows_and_latents(dense != 0)
            codes.append(ActiveCodes(row + start, latent, dense[row, latent]))
        parts = (torch.cat(part) for part in zip(*codes, strict=True))
        return ActiveCodes(*parts), torch.cat(errors), torch.cat(unchanged)

    def _decoded(
        self, rows: Int[Tensor, " n_some"], is_ablated: Bool[Tensor, " d_sae"]
    ) -> Float[Tensor, "n_some d_in"]:
        codes = self._codes.of_rows(rows, len(self._unchanged))
        n_rows = max(len(rows), _LEAST_ROWS)
        dense = codes.values.new_zeros(n_rows, len(is_ablated))
        dense[codes.row, codes.latent] = codes.values
        dense[:, is_ablated] = 0.0
        return self._sae.decode(dense)[: len(rows)]

    def _mean(self, rows: Float[Tensor, "n_rows d_in"], texts: Any) -> Float[Tensor, "n_some d_in"]:
        # all positions, padding too, in the order of SAE-Bench's sum
        return rows[self._place[texts]].sum(dim=1) / self._counts[texts, None]
