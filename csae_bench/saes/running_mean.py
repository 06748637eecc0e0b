"""A running mean that is right from its first value on."""

from __future__ import annotations

from typing import Any


class RunningMean:
    """Debiased exponential mean: value i of n weighs decay^(n - i), weights summing to 1.

    Kingma and Ba 2015 (Adam), arXiv:1412.6980, section 3. In the unit of its values and between
    the smallest and the largest; spans about the last 1 / (1 - decay) of them.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.mean: float | None = None
        """None before the first value."""
        self._count = 0

    def add(self, value: float) -> float:
        """Take in a value, which must be finite, and return the mean."""
        self._count += 1
        share = (1 - self.decay) / (1 - self.decay**self._count)
        mean = value if self.mean is None else (1 - share) * self.mean + share * value
        self.mean = mean
        return mean

    def state_dict(self) -> dict[str, Any]:
        """Return mean and number of values, as plain numbers."""
        return {"mean": self.mean, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the mean that `state` was taken from."""
        self.mean = state["mean"]
        self._count = state["count"]
