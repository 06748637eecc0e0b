"""PairSource: the source that every kind of pairs is drawn from."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor


class Pairs(NamedTuple):
    """Pairs of rows, and the origin of each.

    A kind of pairs has ids of one sort by nature; the other is the first's, as a negative number,
    so that both are defined for every pair and pairs of different kinds never share one.
    """

    rows: Float[Tensor, "n_pairs n_together d_in"]
    """The anchor, then its partner; of groups of three also the anchor's paraphrase."""
    sequence: Int64[Tensor, " n_pairs"]
    """The sequence both rows come from; for pairs of texts -1 - group."""
    group: Int64[Tensor, " n_pairs"]
    """The group of texts; for pairs of one sequence -1 - sequence."""
    values: Int64[Tensor, "n_pairs 2"] | None = None
    """Values of the factor in which the two differ, anchor's and partner's; -1: not known. None:
    not known of any."""


@runtime_checkable
class PairSource(Protocol):
    """Source that pairs of one kind are drawn from, deterministically."""

    @property
    def d_in(self) -> int:
        """Width of a row."""
        ...

    @property
    def epochs(self) -> int:
        """Passes over a finite dataset that are complete."""
        ...

    @property
    def rows_per_epoch(self) -> int | None:
        """Rows that one pass has to give; none until a pass is complete."""
        ...

    def next_pairs(self) -> Pairs:
        """Return the next pairs, at least one: those of as much data as one forward pass takes.

        Raises:
            DataError: the data is missing or malformed, or gives no pair at all.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that decides the pairs from here on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from where `state` was taken; on a source not used yet."""
        ...


MAX_BARREN_DRAWS = 32
"""Draws of data without a single pair after which a source is given up."""

# the kind there was first: another purpose would give other batches than it has always given
_PURPOSES = {"same_sequence": "pairs"}


def seeds_of_kind(seed: int, kind: str) -> tuple[int, int]:
    """Return the seeds of the choice of a kind's pairs, and of the mixing of its buffer."""
    purpose = _PURPOSES.get(kind, kind).encode()
    choosing, mixing = np.random.SeedSequence([seed, *purpose]).generate_state(2)
    return int(choosing), int(mixing)
