"""What one check says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from csae_bench.evals.inputs import Outcome

Findings = Iterator[tuple[Outcome, str]]
"""What the function of a check yields: outcome and message, once or more often."""


_ABOUT_THE_SAE = frozenset(
    {"config", "steps", "settings", "objective", "curriculum", "pairs", "model", "data", "sae"}
)
"""Checks of what decides the SAE; the others are about evals, the machine and folders."""


@dataclass(frozen=True)
class Check:
    """What one check found."""

    name: str
    outcome: Outcome
    """`unknown`: it cannot be checked on this machine."""
    message: str

    @property
    def is_about_the_sae(self) -> bool:
        """Whether it looks at what decides the SAE, and not only at this call."""
        return self.name in _ABOUT_THE_SAE


def problems(checks: list[Check]) -> list[str]:
    """The messages of the checks that found a problem."""
    return [check.message for check in checks if check.outcome == "problem"]
