"""Layout of a batch: which pairs of it are of which kind."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from csae_bench.pairs.mixing_buffer import PackedPairs

IDS = ("sequence", "group", "value of the anchor", "value of its partner")
"""Columns of `PackedPairs.ids`."""
VALUES = slice(2, 4)


@dataclass(frozen=True)
class Layout:
    """Pairs of a batch by kind, those of each kind side by side."""

    taken: Mapping[str, int]
    """Pairs, or groups of three, that are taken of each source."""
    kinds: Mapping[str, slice]
    """Pairs of each kind; pairs of an anchor and its paraphrase of groups of three come last among
    the paraphrases."""
    threes: Collection[str]
    """`minimal` if it gives groups of three."""
    n_of_three: int
    """Groups of three whose paraphrase is in the batch: the first ones."""

    @classmethod
    def of(cls, n_pairs: Mapping[str, int], threes: Collection[str] = ()) -> Layout:
        """Lay out a batch.

        Args:
            n_pairs: of each source. A group of three is two pairs; where there is an odd number
                of them, the last group gives one.
        """
        taken, counts, n_of_three = dict(n_pairs), dict[str, int](), 0
        for kind, n in n_pairs.items():
            if kind in threes:
                n_of_three = n // 2
                taken[kind] = n - n_of_three
                counts["paraphrase"] = counts.get("paraphrase", 0) + n_of_three
            counts[kind] = counts.get(kind, 0) + taken[kind]
        kinds: dict[str, slice] = {}
        start = 0
        for kind, n in counts.items():
            if n:
                kinds[kind] = slice(start, start + n)
                start += n
        return cls(taken, kinds, tuple(threes), n_of_three)

    @property
    def counts(self) -> dict[str, int]:
        """Pairs of each kind."""
        return {kind: place.stop - place.start for kind, place in self.kinds.items()}

    def minimal(self) -> Int64[Tensor, " n_pairs"] | None:
        """Return, for each pair, the place of the minimal pair with the same anchor, or -1.

        None: there is none for any.
        """
        if not self.n_of_three:
            return None
        places = torch.full((sum(self.counts.values()),), -1)
        end = self.kinds["paraphrase"].stop
        places[end - self.n_of_three : end] = self.kinds["minimal"].start + torch.arange(
            self.n_of_three
        )
        return places

    def assembled(self, parts: Mapping[str, PackedPairs]) -> PackedPairs:
        """Put together what was taken of each source.

        Rows of groups of three are those of anchor, changed text and paraphrase, side by side.
        """
        blocks = [block for kind in self.kinds for block in self._blocks(kind, parts)]
        if len(blocks) == 1:
            return blocks[0]
        return PackedPairs(
            torch.cat([block.rows for block in blocks]), torch.cat([block.ids for block in blocks])
        )

    def _blocks(self, kind: str, parts: Mapping[str, PackedPairs]) -> Iterator[PackedPairs]:
        if kind in self.threes:
            yield _two_of_three(parts[kind], 1)
        elif kind in parts:
            yield parts[kind]
        if kind == "paraphrase" and self.n_of_three:
            (three,) = self.threes
            first = PackedPairs(*(part[: self.n_of_three] for part in parts[three]))
            alike = _two_of_three(first, 2)
            alike.ids[:, VALUES] = -1
            yield alike


def _two_of_three(packed: PackedPairs, partner: int) -> PackedPairs:
    """Return pairs of the anchor and one of the other two rows."""
    rows = packed.rows.unflatten(1, (3, -1))
    return PackedPairs(rows[:, [0, partner]].flatten(1), packed.ids.clone())
