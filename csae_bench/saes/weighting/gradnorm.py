"""GradNorm: gradients balanced by how fast each loss falls."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from typing_extensions import override

from csae_bench.config.weighting import WeightingSettings
from csae_bench.saes.weighting.kind import RECONSTRUCTION, Measurement, Weighting, exp, is_usable

_LARGEST_LOSS_LEFT = 1e6
"""Upper limit: a first loss close to 0 would otherwise let one task decide the mean of all."""

_LARGEST_STEP = 1.0
"""Largest change of the logarithm of a weight, at one measurement."""


class GradNorm(Weighting):
    """Weighting that balances gradients by how fast each task's loss falls.

    Chen et al. 2018, arXiv:1711.02257, algorithm 1, on W_enc. Each measurement takes one gradient
    step on the weights w in sum over tasks of |G_i - mean(G) r_i^alpha|, where G_i = w_i g_i with
    g_i the norm of task i's gradient, the target is a constant, and r_i is the task's share of its
    first loss that is left, L_i / L_i(0), over the mean of these shares. Then the weights are
    scaled to sum to the number of tasks. The reconstruction is a task too; its coefficient is 1, so
    coefficient_T = strength_T * w_T / w_reconstruction: strengths are preferences among balanced
    terms, 1 is none.

    Two changes, as terms differ in scale by orders of magnitude: the step is taken on log w, of
    the objective over mean(G), by `learning_rate` * G_i / mean(G) therefore, up or down, which
    keeps weights above 0; and w_i starts where its task's G is that of the others, the optimum at
    r = 1. A task counts from its first measurement on that has a gradient, L_i(0) being its first
    loss above 0; until then r is 1. A loss below 0 is taken for 0. Tasks whose gradient is 0 or
    not finite sit a measurement out, all of them if it is the reconstruction's.
    """

    needs_gradients = True

    def __init__(self, settings: WeightingSettings) -> None:
        super().__init__(settings)
        self._log_weights: dict[str, float] = {}
        self._first_losses: dict[str, float] = {}

    @override
    def _multiplier(self, term: str) -> float:
        if term not in self._log_weights:
            return 0.0
        return exp(self._log_weights[term] - self._log_weights[RECONSTRUCTION])

    @override
    def _take_in(self, measurement: Measurement) -> None:
        norms = {**measurement.gradient_norms, RECONSTRUCTION: measurement.reconstruction_norm}
        log_norms = {task: math.log(norm) for task, norm in norms.items() if is_usable(norm)}
        if RECONSTRUCTION not in log_norms:
            return
        losses = {**measurement.losses, RECONSTRUCTION: measurement.reconstruction_loss}
        self._start(log_norms)
        self._step(log_norms, self._log_targets(losses, log_norms))
        self._normalise()

    @override
    def _state(self) -> dict[str, Any]:
        return {"log_weights": dict(self._log_weights), "first_losses": dict(self._first_losses)}

    @override
    def _load(self, state: dict[str, Any]) -> None:
        self._log_weights = dict(state["log_weights"])
        self._first_losses = dict(state["first_losses"])

    def _log_targets(self, losses: Mapping[str, float], tasks: Collection[str]) -> dict[str, float]:
        """Compute log r_i^alpha of each task; -inf where its loss is 0."""
        left = {task: self._loss_left(task, losses.get(task, math.nan)) for task in tasks}
        known = [share for share in left.values() if share is not None]
        mean = sum(known) / len(known) if known else 0.0
        alpha = self.settings.gradnorm_alpha
        return {
            task: 0.0 if share is None or mean == 0 or alpha == 0 else alpha * _log(share / mean)
            for task, share in left.items()
        }

    def _loss_left(self, task: str, loss: float) -> float | None:
        """Return the share left of the task's first loss, 1e6 at most; None while undefined."""
        if is_usable(loss):
            self._first_losses.setdefault(task, loss)
        if task not in self._first_losses or not math.isfinite(loss):
            return None
        return min(max(loss, 0.0) / self._first_losses[task], _LARGEST_LOSS_LEFT)

    def _start(self, log_norms: Mapping[str, float]) -> None:
        known = [
            self._log_weights[task] + norm
            for task, norm in log_norms.items()
            if task in self._log_weights
        ]
        log_mean = _log_sum_exp(known) - math.log(len(known)) if known else 0.0
        for task, norm in log_norms.items():
            self._log_weights.setdefault(task, log_mean - norm)

    def _step(self, log_norms: Mapping[str, float], log_targets: Mapping[str, float]) -> None:
        weighted = {task: self._log_weights[task] + norm for task, norm in log_norms.items()}
        log_mean = _log_sum_exp(weighted.values()) - math.log(len(weighted))
        for task, log_weighted in weighted.items():
            relative = log_weighted - log_mean
            step = min(self.settings.learning_rate * exp(relative), _LARGEST_STEP)
            if relative > log_targets[task]:
                self._log_weights[task] -= step
            elif relative < log_targets[task]:
                self._log_weights[task] += step

    def _normalise(self) -> None:
        shift = math.log(len(self._log_weights)) - _log_sum_exp(self._log_weights.values())
        for task in self._log_weights:
            self._log_weights[task] += shift


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def _log_sum_exp(values: Collection[float]) -> float:
    largest = max(values)
    return largest + math.log(sum(math.exp(value - largest) for value in values))
