"""The guard: contrastive terms give way where they cost reconstruction."""

from __future__ import annotations

import math
from typing import Any

from csae_bench.saes.running_mean import RunningMean

UNEXPLAINED_DECAY = 0.8
"""Decay of the running mean of unexplained variance: it spans about 5 measurements."""

SMALLEST_FACTOR = 1 / 64
"""Lower limit of the factor: at 0 the effect of the terms could not be seen."""

RECOVERY = 1.15
"""Growth of the factor with each measurement that allows it. Slow compared with the running mean:
a faster one would pass the margin again before the mean shows it."""


class Guard:
    """A factor, 1/64 to 1, for all terms, from the share of variance that is left unexplained.

    Its reference is the lowest running mean so far, as the level without the terms cannot be seen
    while they are on. At each measurement the factor halves while the running mean is more than
    `max_rise` above the reference, and grows by 15%, up to 1, once it is within half of that;
    between the two it stays. A `max_rise` of None is no guard.
    """

    def __init__(self, max_rise: float | None) -> None:
        self.factor = 1.0
        self._max_rise = max_rise
        self._unexplained = RunningMean(UNEXPLAINED_DECAY)
        self._lowest: float | None = None

    def update(self, unexplained: float | None) -> None:
        """Take in the unexplained share of a batch; None, NaN and infinity change nothing."""
        if self._max_rise is None or unexplained is None or not math.isfinite(unexplained):
            return
        level = self._unexplained.add(unexplained)
        self._lowest = level if self._lowest is None else min(self._lowest, level)
        rise = level - self._lowest
        if rise > self._max_rise:
            self.factor = max(self.factor / 2, SMALLEST_FACTOR)
        elif rise <= self._max_rise / 2:
            self.factor = min(self.factor * RECOVERY, 1.0)

    def forget_level(self) -> None:
        """Start a new reference and keep the factor: other data has another level."""
        self._unexplained = RunningMean(UNEXPLAINED_DECAY)
        self._lowest = None

    def state_dict(self) -> dict[str, Any]:
        """Return everything that decides the factor from here on, as plain values."""
        return {
            "factor": self.factor,
            "unexplained": self._unexplained.state_dict(),
            "lowest": self._lowest,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the guard that `state` was taken from."""
        self.factor = state["factor"]
        self._unexplained.load_state_dict(state["unexplained"])
        self._lowest = state["lowest"]
