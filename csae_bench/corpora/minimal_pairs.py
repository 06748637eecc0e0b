"""MinimalPairTexts: numbered pairs of texts that differ in one factor."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable


class MinimalPair(NamedTuple):
    """An anchor, a text that differs from it in one factor, and one that says the same as it."""

    anchor: str
    changed: str
    paraphrase: str | None = None
    """Text with the anchor's value of every factor, said otherwise; none: there is none."""
    factor: str | None = None
    """Factor in which `changed` differs; none: nobody says which."""
    values: tuple[int, int] | None = None
    """The anchor's value of it and the other's, as indices into `value_names`; none: not known."""


@runtime_checkable
class MinimalPairTexts(Protocol):
    """Numbered groups of texts, each of one or more minimal pairs."""

    @property
    def n_groups(self) -> int | None:
        """Groups in one pass; none: there is no end."""
        ...

    @property
    def value_names(self) -> tuple[str, ...]:
        """Names of the factors' values that pairs refer to: `tense=past`; empty: not known."""
        ...

    def pairs(self, group: int) -> tuple[MinimalPair, ...]:
        """Return the pairs of group number `group`, 0 to n_groups - 1; always the same."""
        ...
