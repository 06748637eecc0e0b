"""The strength is the coefficient."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from typing_extensions import override

from csae_bench.saes.weighting.kind import Measurement, Weighting


class Constant(Weighting):
    """coefficient_T = strength_T, up to `max_coefficient`."""

    needs_gradients = False

    @override
    def is_due(self, step: int, active: Collection[str]) -> bool:
        """Never."""
        return False

    @override
    def _multiplier(self, term: str) -> float:
        return 1.0

    @override
    def _take_in(self, measurement: Measurement) -> None: ...

    @override
    def _state(self) -> dict[str, Any]:
        return {}

    @override
    def _load(self, state: dict[str, Any]) -> None: ...
