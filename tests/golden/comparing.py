"""When two tables of numbers are equal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from tests.golden.numbers import Numbers, Scalar, Value

ABSENT = "(absent)"


class Tolerance(NamedTuple):
    """How far numbers may be from the golden ones."""

    relative: float
    absolute: float
    """For numbers that are 0 up to rounding."""
    flips: float = 0.0
    """Share of a part's values that may differ otherwise: numbers outside the above, whole numbers,
    strings and lists that are not equal, and what is undefined on one side alone."""


@dataclass(frozen=True)
class Difference:
    """A value that is not the golden one."""

    path: str
    old: Value
    new: Value

    @property
    def is_kept(self) -> bool:
        """Whether there is a value before and after."""
        return ABSENT not in (self.old, self.new)

    @property
    def relative(self) -> float | None:
        """(new - old) / |old| of two numbers; None of anything else."""
        if not _is_number(self.old) or not _is_number(self.new) or not self.old:
            return None
        return (float(self.new) - float(self.old)) / abs(float(self.old))  # pyright: ignore[reportArgumentType]

    def __str__(self) -> str:
        share = "" if self.relative is None else f" ({self.relative:+.2e})"
        return f"{self.path}: {self.old} -> {self.new}{share}"


def differences(old: Numbers, new: Numbers, tolerance: Tolerance) -> list[Difference]:
    """Return the values outside the tolerance, paths that only one side has included."""
    collected = [
        Difference(path, old.get(path, ABSENT), new.get(path, ABSENT))
        for path in dict.fromkeys((*old, *new))
    ]
    return [one for one in collected if not _are_close(one.old, one.new, tolerance)]


def is_golden(old: Numbers, new: Numbers, tolerance: Tolerance) -> bool:
    """Whether no larger share of the values is outside the tolerance than may be."""
    return len(differences(old, new, tolerance)) <= tolerance.flips * len(old)


def _are_close(old: Value, new: Value, tolerance: Tolerance) -> bool:
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(
            _are_close(before, after, tolerance) for before, after in zip(old, new, strict=True)
        )
    if not isinstance(old, list) and not isinstance(new, list) and _are_floats(old, new):
        return math.isclose(
            float(old or 0),
            float(new or 0),
            rel_tol=tolerance.relative,
            abs_tol=tolerance.absolute,
        )
    return type(old) is type(new) and old == new


def _are_floats(old: Scalar, new: Scalar) -> bool:
    """Whether both are numbers and one of them at least is no whole number by type."""
    return (
        _is_number(old) and _is_number(new) and (isinstance(old, float) or isinstance(new, float))
    )


def _is_number(value: Value) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)
