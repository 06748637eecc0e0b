"""The one error that metrics raise."""

from __future__ import annotations

from csae_bench.errors import DataError


class MetricInputError(DataError, ValueError):
    """Codes or factors that no metric can be computed from: not finite, empty, mismatched."""
