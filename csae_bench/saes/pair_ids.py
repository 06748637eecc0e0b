"""PairIds: the origin of the pairs of a batch, and so which of them may be contrasted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

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

    kinds: Mapping[str, slice] = field(default_factory=dict[str, slice])
    """Pairs of each kind; empty: not known."""

    def __len__(self) -> int:
        return len(self.sequence)

    def of_kinds(self, kinds: Collection[str]) -> tuple[PairIds, Int[Tensor, " n_chosen"]]:
        """Return the pairs of these kinds, and their indices among all."""
        places = torch.arange(len(self), device=self.sequence.device)
        chosen = torch.cat([places[:0], *(places[s] for k, s in self.kinds.items() if k in kinds)])
        group = None if self.group is None else self.group[chosen]
        return PairIds(self.sequence[chosen], group), chosen

    def to(self, device: torch.device) -> PairIds:
        """Move to a device."""
        group = None if self.group is None else self.group.to(device)
        return PairIds(self.sequence.to(device), group, self.kinds)

    def negatives(self) -> Bool[Tensor, "n_pairs n_pairs"]:
        """Mask where pair j may be a negative of pair i: they share neither sequence nor group.

        Symmetric, and false on the diagonal. Computed once; do not change it.
        """
        return self._negatives

    @cached_property
    def _negatives(self) -> Bool[Tensor, "n_pairs n_pairs"]:
        apart = self.sequence[:, None] != self.sequence[None, :]
        if self.group is None:
            return apart
        return torch.logical_and(apart, self.group[:, None] != self.group[None, :])
