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
class Places:
    """Where some pairs of a batch are: runs of pairs that stand side by side, in order."""

    runs: tuple[slice, ...]

    def of(self, values: Tensor, n_each: int = 1) -> Tensor:
        """Select what belongs to these pairs; of a single run it is a view.

        Args:
            values: `n_each` for each pair of the batch, side by side along the first dimension.
        """
        parts = [values[n_each * run.start : n_each * run.stop] for run in self.runs]
        if len(parts) == 1:
            return parts[0]
        return torch.cat([values[:0], *parts])

    def rows(self, device: torch.device) -> Int[Tensor, " n_rows"]:
        """Return the numbers of the rows of these pairs, two for each."""
        runs = [torch.arange(2 * run.start, 2 * run.stop, device=device) for run in self.runs]
        return torch.cat(runs) if runs else torch.arange(0, device=device)


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

    def of_kinds(self, kinds: Collection[str] | None) -> tuple[PairIds, Places | None]:
        """Return the pairs of these kinds, and their places among all; no places: it is all.

        Args:
            kinds: none: those whose rows are alike, as far as kinds are known.
        """
        if kinds is None:
            kinds = POSITIVE_KINDS
            if set(self.kinds) <= set(kinds):
                return self, None
        places: list[slice] = []
        for place in (place for kind, place in self.kinds.items() if kind in kinds):
            if places and places[-1].stop == place.start:
                places[-1] = slice(places[-1].start, place.stop)
            else:
                places.append(place)
        chosen = Places(tuple(places))
        ids = {name: chosen.of(ids) for name, ids in self._tensors().items()}
        return replace(self, **ids, kinds={}), chosen

    def to(self, device: torch.device) -> PairIds:
        """Move to a device."""
        moved = {name: ids.to(device) for name, ids in self._tensors().items()}
        return replace(self, **moved)

    def negatives(self) -> Bool[Tensor, "n_pairs n_pairs"]:
        """Mask where pair j may be a negative of pair i: they share neither sequence nor group.

        Symmetric, and false on the diagonal. Computed once; do not change it.
        """
        return self._negatives

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
