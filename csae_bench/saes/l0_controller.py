"""L0 held at a target by the coefficient of the sparsity penalty, for ReLU and JumpReLU."""

from __future__ import annotations

import math
from typing import Any

from csae_bench.config.weighting import HoldL0Settings
from csae_bench.saes.running_mean import RunningMean

L0_DECAY = 0.9
"""Decay of the running mean of L0: it spans about 10 steps."""

LARGEST_ERROR = 1.0
"""An L0 that is off by more than a factor of e counts as off by e: it bounds what one adjustment
does to an SAE whose first L0 is a hundred times the target, or 0."""

LARGEST_LOG_FACTOR = math.log(1e3)
"""The factor stays between 1 / 1000 and 1000."""


NEAR = 0.07
"""Only an error below this, 7%, says something about the trend: a larger one is on its way down."""

TREND_LAGS = 10
"""Lags within which the trend is learned. Much faster, and the loop oscillates."""


class L0Controller:
    """Proportional-integral control of the logarithm of the penalty's factor, with its trend.

    With e_k = log(running mean of L0 / target), clipped to +-1, every `every` steps

        log factor += gain * (e_k - e_(k-1) + every / lag * e_k) + trend_k,
        trend_k = trend_(k-1) + gain * every^2 / (10 lag^2) * e_k where |e_k| < 0.07,

    the velocity form, which does not wind up where the factor is at its bounds (Astrom and
    Hagglund 1995, PID Controllers, 2nd ed., chapter 3). L0 follows the penalty with a delay, as
    the weights have to move first: an integral alone is either slow or oscillates. A training SAE
    needs less and less penalty for the same L0; without the trend, L0 ends some percent too low.
    """

    def __init__(self, settings: HoldL0Settings, *, default_lag: int = 30) -> None:
        self._settings = settings
        self._lag = settings.lag or default_lag
        self._l0 = RunningMean(L0_DECAY)
        self._n_steps = 0
        self._log_factor = 0.0
        self._trend = 0.0
        self._last_error: float | None = None

    @property
    def factor(self) -> float:
        """Factor of the coefficient of the sparsity penalty; 1e-3 to 1e3, 1 at the start."""
        return math.exp(self._log_factor)

    def update(self, l0: float) -> None:
        """Take in a batch's mean number of active latents; one that is not finite is left out."""
        if math.isfinite(l0):
            self._l0.add(max(l0, 0.0))
        self._n_steps += 1
        if self._n_steps % self._settings.every == 0 and self._l0.mean is not None:
            self._adjust(self._l0.mean)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that decides the factor from here on, as plain values."""
        return {
            "l0": self._l0.state_dict(),
            "n_steps": self._n_steps,
            "log_factor": self._log_factor,
            "trend": self._trend,
            "last_error": self._last_error,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the controller that `state` was taken from."""
        self._l0.load_state_dict(state["l0"])
        self._n_steps = state["n_steps"]
        self._log_factor = state["log_factor"]
        self._trend = state["trend"]
        self._last_error = state["last_error"]

    def _adjust(self, l0: float) -> None:
        settings = self._settings
        ratio = l0 / settings.target
        error = -LARGEST_ERROR if ratio <= 0 else math.log(ratio)
        error = max(-LARGEST_ERROR, min(error, LARGEST_ERROR))
        # 0 at first: the whole error as a change would be a jump, and kill latents that return late
        change = 0.0 if self._last_error is None else error - self._last_error
        lags = settings.every / self._lag
        if abs(error) < NEAR:
            self._trend += settings.gain * lags**2 / TREND_LAGS * error
        self._last_error = error
        moved = self._log_factor + settings.gain * (change + lags * error) + self._trend
        self._log_factor = max(-LARGEST_LOG_FACTOR, min(moved, LARGEST_LOG_FACTOR))
