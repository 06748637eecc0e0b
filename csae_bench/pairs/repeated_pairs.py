"""A source whose first pairs come again and again, from memory."""

from __future__ import annotations

from typing import Any

from csae_bench.pairs.source import Pairs, PairSource


class RepeatedPairs:
    """Gives the first pairs of another source, and then the same ones again, in the same order.

    They are kept, 4 * d_in bytes for each of their rows, so that the language model reads their
    texts once. Where the other source ends before, all that it has is kept. After a resume they are
    read once more.
    """

    def __init__(self, source: PairSource, n_pairs: int) -> None:
        """Build a source that has read nothing yet.

        Args:
            source: one that has given nothing yet.
            n_pairs: pairs that are kept, at most.
        """
        self._source = source
        self._n_pairs = n_pairs
        self._kept: list[Pairs] = []
        self._is_complete = False
        self._n_given = 0
        """Draws that were given."""

    @property
    def d_in(self) -> int:
        """Width of a row."""
        return self._source.d_in

    @property
    def epochs(self) -> int:
        """Times that all kept pairs were given."""
        return self._n_given // len(self._kept) if self._is_complete else 0

    @property
    def rows_per_epoch(self) -> int | None:
        """Rows of all kept pairs; None until they are all read."""
        if not self._is_complete:
            return None
        return sum(pairs.rows.shape[0] * pairs.rows.shape[1] for pairs in self._kept)

    def next_pairs(self) -> Pairs:
        """Return the next pairs.

        Raises:
            DataError: the other source gives none.
        """
        while not self._is_complete and len(self._kept) <= self._n_given:
            self._read()
        pairs = self._kept[self._n_given % len(self._kept)]
        self._n_given += 1
        return pairs

    def state_dict(self) -> dict[str, Any]:
        """Return the place, as a number."""
        return {"n_given": self._n_given}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume after as many draws; the kept pairs are read again when they are wanted."""
        self._n_given = state["n_given"]

    def _read(self) -> None:
        left = self._n_pairs - sum(len(pairs.rows) for pairs in self._kept)
        pairs = self._source.next_pairs()
        self._kept.append(_first(pairs, left))
        self._is_complete = len(pairs.rows) >= left or self._source.epochs > 0


def _first(pairs: Pairs, n: int) -> Pairs:
    values = None if pairs.values is None else pairs.values[:n]
    return Pairs(pairs.rows[:n], pairs.sequence[:n], pairs.group[:n], values)
