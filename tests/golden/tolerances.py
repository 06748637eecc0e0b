"""How far golden numbers may be off on which machine."""

from __future__ import annotations

from tests.golden.comparing import Tolerance
from tests.golden.machine import Machine

EXACT = Tolerance(relative=1e-6, absolute=1e-9)
ELSEWHERE = Tolerance(relative=1e-3, absolute=1e-4, flips=0.05)


def tolerance(file: str, measured_on: Machine, here: Machine) -> Tolerance:
    """Return the tolerance of a golden file's numbers.

    Args:
        measured_on: the machine that the golden numbers are from.
    """
    if file in ("codes", "training") or measured_on == here:
        return EXACT
    return ELSEWHERE
