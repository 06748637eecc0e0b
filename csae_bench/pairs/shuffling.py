"""The control of shuffled positives."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def exchange_positives(
    rows: Float[Tensor, "n_pairs width"], generator: torch.Generator
) -> Float[Tensor, "n_pairs width"]:
    """Give every anchor another pair's positive, in pairs (anchor and positive side by side).

    Each positive goes to the next pair of a random cycle through all of them, so none stays where
    it was and the rows are the same ones. Of pairs that come from one text an anchor may get a
    positive of its own text again, about as often as such pairs are in the batch.
    """
    cycle = torch.randperm(len(rows), generator=generator).to(rows.device)
    anchors, positives = rows.chunk(2, dim=1)
    exchanged = torch.empty_like(positives)
    exchanged[cycle] = positives[cycle.roll(1)]
    return torch.cat([anchors, exchanged], dim=1)
