"""Result of one check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from csae_bench.evals.inputs import CheckOutcome

Finding = tuple[CheckOutcome, str]
Findings = Iterator[Finding]
"""Result of a check's function: outcome and message, one or more."""


_ABOUT_THE_SAE = frozenset(
    {"config", "steps", "settings", "objective", "curriculum", "pairs", "model", "data", "sae"}
)
"""Checks that affect the SAE itself; the others are about evals, the machine and folders."""


@dataclass(frozen=True)
class Check:
    """Finding of one check."""

    name: str
    outcome: CheckOutcome
    """`unknown`: it cannot be checked on this machine."""
    message: str

    @property
    def is_about_the_sae(self) -> bool:
        """Whether it is about the SAE itself, and not only about this call."""
        return self.name in _ABOUT_THE_SAE


def problems(checks: list[Check]) -> list[str]:
    """Return the messages of the checks that found a problem."""
    return [check.message for check in checks if check.outcome == "problem"]
