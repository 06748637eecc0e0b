"""PairIds: where the pairs of a batch come from, and so which of them may be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True)
class PairIds:
    """Ids of the pairs of a batch, int64, on the device of the rows.

    Two pairs with an id in common are alike by origin: contrasting them would be false.
    """

    sequence: Int[Tensor, " n_pairs"]
    """Id of the sequence that both rows of the pair come from; negative: of no one sequence."""

    group: Int[Tensor, " n_pairs"] | None = None
    """Id of the group of paraphrases that the pair belongs to; negative: of no group of more than
    itself. None: there are no groups."""

    def __len__(self) -> int:
        return len(self.sequence)

    def negatives(self) -> Bool[Tensor, "n_pairs n_pairs"]:
        """Whether pair j may be a negative of pair i: they share neither sequence nor group.

        Symmetric, and false on the diagonal.
        """
        apart = self.sequence[:, None] != self.sequence[None, :]
        if self.group is None:
            return apart
        return torch.logical_and(apart, self.group[:, None] != self.group[None, :])
