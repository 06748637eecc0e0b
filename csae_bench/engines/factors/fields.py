"""Fields of the details of evals on factor datasets."""

from __future__ import annotations

from csae_bench.evals.metric_models import ResultModel

__all__ = ["FactorDetail", "ResultModel"]


class FactorDetail(ResultModel):
    """Results of an eval for one factor."""

    factor: str
    """The factor's name."""
    parent: str | None
    """Factor whose values this one subdivides; null for most."""
    n_values: int
    """Number of values that occur in the samples."""
    reasons: dict[str, str]
    """Field -> the reason for its being null, for those that are."""
