"""Uncertainty weighting: each loss over its own learned noise."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from typing_extensions import override

from csae_bench.config.weighting import WeightingSettings
from csae_bench.saes.weighting.kind import RECONSTRUCTION, Measurement, Weighting, exp, is_usable


class Uncertainty(Weighting):
    """Weighting that divides every task's loss by its own learned noise.

    Gradient steps of `learning_rate` on s in sum over tasks of exp(-s_i) L_i + s_i, one a training
    step: Kendall et al. 2018, arXiv:1705.07115, section 3.2, with s the logarithm of the noise's
    variance and each task's factor 1/2 left out. The reconstruction is a task too; its coefficient
    is 1, so coefficient_T = strength_T * exp(s_reconstruction - s_T).

    s starts at its optimum for the first loss measured, log L. A loss that is not finite or not
    above 0 leaves s as it is; a task without any has coefficient 0. A step moves s by
    `learning_rate` at most, so that one large loss does not throw it.
    """

    needs_gradients = False

    def __init__(self, settings: WeightingSettings) -> None:
        super().__init__(settings)
        self._log_variance: dict[str, float] = {}

    @override
    def is_due(self, step: int, active: Collection[str]) -> bool:
        """At every step with a term: losses are computed anyway."""
        return bool(active)

    @override
    def _multiplier(self, term: str) -> float:
        log_variance = self._log_variance
        if term not in log_variance or RECONSTRUCTION not in log_variance:
            return 0.0
        return exp(log_variance[RECONSTRUCTION] - log_variance[term])

    @override
    def _take_in(self, measurement: Measurement) -> None:
        losses = {**measurement.losses, RECONSTRUCTION: measurement.reconstruction_loss}
        for task, loss in losses.items():
            if not is_usable(loss):
                continue
            log_variance = self._log_variance.setdefault(task, math.log(loss))
            slope = 1 - exp(math.log(loss) - log_variance)
            self._log_variance[task] = log_variance - self.settings.learning_rate * max(slope, -1)

    @override
    def _state(self) -> dict[str, Any]:
        return {"log_variance": dict(self._log_variance)}

    @override
    def _load(self, state: dict[str, Any]) -> None:
        self._log_variance = dict(state["log_variance"])
