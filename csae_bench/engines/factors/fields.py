"""The form of the details of evals on factor datasets."""

from __future__ import annotations

from csae_bench.evals.metric_models import Strict

__all__ = ["FactorDetail", "Strict"]


class FactorDetail(Strict):
    """What an eval found of one factor."""

    factor: str
    """The factor's name."""
    parent: str | None
    """The factor whose values this one's divide; none for most."""
    n_values: int
    """Values that occur in the samples."""
    reasons: dict[str, str]
    """Field -> why it is null, for those that are."""
