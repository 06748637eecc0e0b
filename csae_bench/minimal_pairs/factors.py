"""Factors that may differ, and the numbers of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from csae_bench.errors import DataError, did_you_mean

KEY = "pairs.minimal"
"""Key of the settings, for messages."""


class ValueNumbers:
    """Values of all factors, numbered throughout in the order given."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        """Assign the numbers to values whose names are given by factor."""
        every = [(factor, value) for factor, names in values.items() for value in names]
        self.names = tuple(f"{factor}={value}" for factor, value in every)
        self._numbers = {each: number for number, each in enumerate(every)}

    def pair(self, factor: str, anchor: str, changed: str) -> tuple[int, int]:
        """Return the numbers of two values of a factor, as indices into `names`."""
        return self._numbers[factor, anchor], self._numbers[factor, changed]


def allowed_factors(
    wanted: Sequence[str] | None, available: Sequence[str], *, what: str
) -> tuple[str, ...]:
    """Return the factors that may differ, in the order of `available`; all where none are wanted.

    Args:
        what: whose factors they are, for messages.

    Raises:
        DataError: a wanted factor is not available, or the list is empty.
    """
    if wanted is None:
        return tuple(available)
    there_are = f"Its factors are {', '.join(available) or 'none'}."
    if not wanted:
        raise DataError(
            f"{KEY}.factors is empty; name at least one factor of {what}, or leave it out. "
            f"{there_are}"
        )
    for name in wanted:
        if name not in available:
            raise DataError(
                f"{KEY}.factors has '{name}', which is no factor of {what}."
                f"{did_you_mean(name, available)} {there_are}"
            )
    return tuple(name for name in available if name in wanted)
