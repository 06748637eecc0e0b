"""PairIds: the origin of the pairs of a batch, and so which of them may be contrasted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from csae_bench.config.loss_terms import POSITIVE_KINDS


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

    values: Int[Tensor, "n_pairs 2"] | None = None
    """Values of the factor in which the rows of a minimal pair differ, the anchor's and the other
    row's; -1: not known. None: of no pair."""

    minimal: Int[Tensor, " n_pairs"] | None = None
    """Place, in the whole batch, of the minimal pair with the same anchor; -1: there is none. None:
    for no pair."""

    def __len__(self) -> int:
        return len(self.sequence)

    def of_kinds(
        self, kinds: Collection[str] | None
    ) -> tuple[PairIds, Int[Tensor, " n_chosen"] | None]:
        """Return the pairs of these kinds, and their places among all; no places: it is all.

        Args:
            kinds: none: those whose rows are alike, as far as kinds are known.
        """
        if kinds is None:
            kinds = POSITIVE_KINDS
            if set(self.kinds) <= set(kinds):
                return self, None
        places = torch.arange(len(self), device=self.sequence.device)
        chosen = torch.cat([places[:0], *(places[s] for k, s in self.kinds.items() if k in kinds)])
        return replace(self._at(chosen), kinds={}), chosen

    def to(self, device: torch.device) -> PairIds:
        """Move to a device."""
        moved = {name: ids.to(device) for name, ids in self._tensors().items()}
        return replace(self, **moved)

    def negatives(self) -> Bool[Tensor, "n_pairs n_pairs"]:
        """Mask where pair j may be a negative of pair i: they share neither sequence nor group.

        Symmetric, and false on the diagonal. Computed once; do not change it.
        """
        return self._negatives

    def _at(self, places: Int[Tensor, " n_chosen"]) -> PairIds:
        return replace(self, **{name: ids[places] for name, ids in self._tensors().items()})

    def _tensors(self) -> dict[str, Tensor]:
        """Return what is there for each pair."""
        named = {
            "sequence": self.sequence,
            "group": self.group,
            "values": self.values,
            "minimal": self.minimal,
        }
        return {name: ids for name, ids in named.items() if ids is not None}

    @cached_property
    def _negatives(self) -> Bool[Tensor, "n_pairs n_pairs"]:
        apart = self.sequence[:, None] != self.sequence[None, :]
        if self.group is None:
            return apart
        return torch.logical_and(apart, self.group[:, None] != self.group[None, :])
