"""Base class of every kind of weighting, and its measurements."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from csae_bench.config.weighting import WeightingSettings

RECONSTRUCTION = "reconstruction"
"""The reconstruction among the tasks; no term has this name."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Measurements of the trainer at one step. A value that is not finite counts as missing."""

    losses: Mapping[str, float]
    """Value of each term computed in this step, without its coefficient."""
    gradient_norms: Mapping[str, float]
    """Norm of the gradient of that value with respect to W_enc; empty where not needed."""
    reconstruction_loss: float
    """Value of the reconstruction loss."""
    reconstruction_norm: float
    """Norm of its gradient with respect to W_enc; any value where not needed."""
    unexplained_variance: float | None
    """Share of this batch's variance that is not reconstructed; None where undefined."""


class Weighting(ABC):
    """Coefficients that follow measurements.

    For each step the trainer asks for `coefficients`; where `is_due`, it measures and calls
    `update`, which counts from the next step on.
    """

    needs_gradients: bool
    """True if `update` reads the norms of gradients, which cost a backward pass for each term."""

    def __init__(self, settings: WeightingSettings) -> None:
        self.settings = settings
        self._measured: set[str] = set()

    def is_due(self, step: int, active: Collection[str]) -> bool:
        """Decide whether to measure at this step, from 0, at which the terms `active` are on.

        Every `settings.every` steps, and where a term is on for the first time.
        """
        return bool(active) and (
            step % self.settings.every == 0 or not self._measured.issuperset(active)
        )

    def coefficients(self, strengths: Mapping[str, float]) -> dict[str, float]:
        """Return each term's coefficient, 0 to `settings.max_coefficient`, for its strength."""
        return {
            term: self._bounded(strength * self._multiplier(term)) if strength > 0 else 0.0
            for term, strength in strengths.items()
        }

    def update(self, measurement: Measurement) -> None:
        """Take in what was measured."""
        self._measured.update(
            measurement.gradient_norms if self.needs_gradients else measurement.losses
        )
        self._take_in(measurement)

    def new_stage(self) -> None:  # noqa: B027 - most kinds have nothing to forget
        """Announce that other data follows, whose unexplained variance has another level."""

    @property
    def guard_factor(self) -> float:
        """Factor of the guard on every coefficient: 1/64 to 1; 1 where there is no guard."""
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        """Return everything that decides the coefficients from here on, as plain JSON values."""
        return {"measured": sorted(self._measured), **self._state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the weighting that `state` was taken from."""
        self._measured = set(state["measured"])
        self._load(state)

    @abstractmethod
    def _multiplier(self, term: str) -> float:
        """Return the factor of the term's strength; may be infinite."""

    @abstractmethod
    def _take_in(self, measurement: Measurement) -> None:
        """Learn from all numbers of a measurement."""

    @abstractmethod
    def _state(self) -> dict[str, Any]: ...

    @abstractmethod
    def _load(self, state: dict[str, Any]) -> None: ...

    def _bounded(self, value: float) -> float:
        return 0.0 if math.isnan(value) else max(0.0, min(value, self.settings.max_coefficient))


def is_usable(value: float) -> bool:
    """Test whether a norm or a loss has a logarithm."""
    return math.isfinite(value) and value > 0


def exp(exponent: float) -> float:
    """Raise e to the exponent; infinite where that is too large for a float."""
    try:
        return math.exp(exponent)
    except OverflowError:
        return math.inf
