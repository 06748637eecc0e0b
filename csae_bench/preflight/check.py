"""What one check says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "problem", "unknown"]

Findings = Iterator[tuple[Outcome, str]]
"""What the function of a check yields: outcome and message, once or more often."""


@dataclass(frozen=True)
class Check:
    """What one check found."""

    name: str
    outcome: Outcome
    """`unknown`: it cannot be checked on this machine."""
    message: str


def problems(checks: list[Check]) -> list[str]:
    """The messages of the checks that found a problem."""
    return [check.message for check in checks if check.outcome == "problem"]
