"""The control of shuffled pairs."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def exchange_partners(
    rows: Float[Tensor, "n_pairs width"], d_in: int, generator: torch.Generator
) -> Float[Tensor, "n_pairs width"]:
    """Give every anchor another pair's partner.

    Each partner goes to the next pair of a random cycle through all of them, so none stays where it
    was and the rows are the same ones. Of pairs that come from one text an anchor may get a
    partner of its own text again, about as often as such pairs are in the batch.

    Args:
        rows: anchor and partner side by side; a third row beside them stays with the anchor.
        d_in: width of each.
    """
    cycle = torch.randperm(len(rows), generator=generator).to(rows.device)
    exchanged = rows.clone()
    exchanged[cycle, d_in : 2 * d_in] = rows[cycle.roll(1), d_in : 2 * d_in]
    return exchanged
