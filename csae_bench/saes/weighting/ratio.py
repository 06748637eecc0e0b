"""Ratio control: each term pulls with a set share of the reconstruction's gradient."""

from __future__ import annotations

import math
from typing import Any

from typing_extensions import override

from csae_bench.config.weighting import WeightingSettings
from csae_bench.saes.running_mean import RunningMean
from csae_bench.saes.weighting.guard import Guard
from csae_bench.saes.weighting.kind import Measurement, Weighting, is_usable


class Ratio(Weighting):
    """The strength is the share: a term's gradient norm over the reconstruction's, on W_enc.

    With g_T and g_R the two norms, coefficient_T = strength_T * guard_factor * mean(g_R) /
    mean(g_T), in which both means are running ones of `settings.decay` over the measurements in
    which g_T and g_R are finite and g_T > 0. Before the first of these the coefficient is 0.

    The ratio of the means and not the mean of the ratios, which a single g_T close to 0 would
    dominate: here a term's gradients, added up, are `strength` times the reconstruction's, added
    up. An adaptive weight as in VQGAN (Esser et al. 2021, arXiv:2012.09841, eq. 7), smoothed.
    """

    needs_gradients = True

    def __init__(self, settings: WeightingSettings) -> None:
        super().__init__(settings)
        self._norms: dict[str, tuple[RunningMean, RunningMean]] = {}
        self._guard = Guard(settings.max_unexplained_rise)

    @property
    @override
    def guard_factor(self) -> float:
        return self._guard.factor

    @override
    def new_stage(self) -> None:
        self._guard.forget_level()

    @override
    def _multiplier(self, term: str) -> float:
        if term not in self._norms:
            return 0.0
        of_reconstruction, of_term = (norm.mean or 0.0 for norm in self._norms[term])
        return self._guard.factor * _quotient(of_reconstruction, of_term)

    @override
    def _take_in(self, measurement: Measurement) -> None:
        self._guard.update(measurement.unexplained_variance)
        if not _is_norm(measurement.reconstruction_norm):
            return
        for term, norm in measurement.gradient_norms.items():
            if is_usable(norm):
                of_reconstruction, of_term = self._norms.setdefault(term, self._no_norms())
                of_reconstruction.add(measurement.reconstruction_norm)
                of_term.add(norm)

    @override
    def _state(self) -> dict[str, Any]:
        return {
            "guard": self._guard.state_dict(),
            "norms": {
                term: [norm.state_dict() for norm in norms] for term, norms in self._norms.items()
            },
        }

    @override
    def _load(self, state: dict[str, Any]) -> None:
        self._guard.load_state_dict(state["guard"])
        self._norms = {term: self._no_norms() for term in state["norms"]}
        for term, norms in self._norms.items():
            for norm, saved in zip(norms, state["norms"][term], strict=True):
                norm.load_state_dict(saved)

    def _no_norms(self) -> tuple[RunningMean, RunningMean]:
        return RunningMean(self.settings.decay), RunningMean(self.settings.decay)


def _is_norm(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _quotient(numerator: float, denominator: float) -> float:
    if denominator > 0:
        return numerator / denominator
    return math.inf if numerator > 0 else 0.0
