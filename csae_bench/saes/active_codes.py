"""ActiveCodes: the codes of a batch without the zeros, and where a mask is true."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


class ActiveCodes(NamedTuple):
    """Active codes of a batch by themselves, row by row and in a row by latent."""

    row: Int64[Tensor, " n_active"]
    latent: Int64[Tensor, " n_active"]
    values: Float[Tensor, " n_active"]

    def split(self) -> tuple[ActiveCodes, ActiveCodes]:
        """Split those of interleaved rows into anchors' and positives', with the pair as row."""
        is_anchor = self.row % 2 == 0
        halves = (side.nonzero().squeeze(1) for side in (is_anchor, ~is_anchor))
        anchors, positives = (
            ActiveCodes(self.row[half] // 2, self.latent[half], self.values.index_select(0, half))
            for half in halves
        )
        return anchors, positives

    def of_rows(self, rows: Int64[Tensor, " n_chosen"], n_rows: int) -> ActiveCodes:
        """Return those of some rows, in ascending order, with their place among them as row."""
        place = self.row.new_full((n_rows,), -1)
        place[rows] = torch.arange(len(rows), device=place.device)
        of_code = place[self.row]
        kept = (of_code >= 0).nonzero().squeeze(1)
        values = self.values.index_select(0, kept)
        return ActiveCodes(of_code[kept], self.latent[kept], values)


def weighted_block(
    codes: ActiveCodes, n_latents: int, weights: Float[Tensor, " n_latents"] | None
) -> ActiveCodes:
    """Return those of the first latents, times a weight of each latent."""
    inside = (codes.latent < n_latents).nonzero().squeeze(1)
    row, latent = codes.row[inside], codes.latent[inside]
    values = codes.values.index_select(0, inside)
    return ActiveCodes(row, latent, values if weights is None else values * weights[latent])


def places(mask: Bool[Tensor, ...]) -> Int64[Tensor, " n_true"]:
    """Return the flat indices at which a mask is true, in order."""
    if mask.device.type == "cpu":  # where numpy finds them in a third of torch's time
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.flatten().nonzero().squeeze(1)


def rows_and_latents(
    mask: Bool[Tensor, "n_rows d_sae"],
) -> tuple[Int64[Tensor, " n_true"], Int64[Tensor, " n_true"]]:
    """Return the row and the latent of each entry of a mask that is true, row by row."""
    entries, d_sae = places(mask), mask.shape[1]
    return entries // d_sae, entries % d_sae
