"""Bootstrap intervals of scores: percentiles over resamples of whole clusters of prompts.

Prompts of one template or template are no independent draws, so clusters are drawn with replacement
and not prompts. Bins stay as they are; the best latents are chosen again in every resample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from csae_bench.metrics.data import Codes, Factors, MetricInputError
from csae_bench.metrics.inputs import CodesLike, FactorsLike, LabelsLike, same_samples
from csae_bench.support.threads import mapped

N_RESAMPLES = 1000
MIN_RESAMPLES = 1000
MAX_CLUSTERS = 64
"""Number of clusters that `few_clusters` leaves."""


@dataclass(frozen=True, kw_only=True)
class PercentileInterval:
    """A percentile interval; `low` and `high` are None, with a reason, where there is none."""

    low: float | None
    high: float | None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScoreInterval:
    """The intervals of a score and of its factors."""

    score: PercentileInterval
    by_factor: dict[str, PercentileInterval]
    settings: dict[str, Any]


def cluster_bootstrap(
    statistic: Callable[[Int[NDArray[Any], " n_clusters"]], NDArray[np.float64]],
    n_clusters: int,
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Float[NDArray[Any], "n_resamples n_values"]:
    """Compute a statistic on resamples of whole clusters.

    Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 13. With few
    clusters (below 10 or so) the percentile interval of these covers too little.

    Args:
        statistic: of how often each cluster was drawn, an array of any length, NaN allowed; several
            threads may call it at once.

    Raises:
        MetricInputError: fewer than 1000 resamples.
    """
    return np.stack(list(mapped(statistic, cluster_draws(n_clusters, n_resamples, seed))))


def cluster_draws(
    n_clusters: int, n_resamples: int, seed: int
) -> Int[NDArray[Any], "n_resamples n_clusters"]:
    """Count how often each resample draws each cluster: n_clusters draws with replacement.

    Raises:
        MetricInputError: fewer than 1000 resamples.
    """
    if n_resamples < MIN_RESAMPLES:
        raise MetricInputError(
            f"n_resamples is {n_resamples}; it must be at least {MIN_RESAMPLES}, or the ends of "
            "the interval are noise."
        )
    rng = np.random.default_rng(seed)
    even = np.full(n_clusters, 1 / n_clusters)
    return rng.multinomial(n_clusters, even, size=n_resamples)


def checked_clusters(
    codes: CodesLike, factors: FactorsLike, clusters: LabelsLike, level: float
) -> tuple[Codes, Factors, NDArray[np.int64]]:
    codes, factors = same_samples(codes, factors)
    labels = Factors.of({"cluster": clusters}).values[:, 0]
    if len(labels) != codes.n:
        raise MetricInputError(
            f"there are codes of {codes.n} samples and clusters of {len(labels)}; give one label "
            "a sample, in the same order."
        )
    if not 0 < level < 1:
        raise MetricInputError(f"level is {level}; it must be between 0 and 1.")
    return codes, factors, labels


def bootstrap_settings(
    labels: NDArray[np.int64], n_resamples: int, level: float, seed: int
) -> dict[str, Any]:
    return {
        "n_clusters": int(labels.max()) + 1,
        "n_resamples": n_resamples,
        "level": level,
        "seed": seed,
    }


def centred(
    drawn: Float[NDArray[Any], "n_resamples n_values"], observed: Float[NDArray[Any], " n_values"]
) -> Float[NDArray[Any], "n_resamples n_values"]:
    """Shift resampled scores so that their mean is the score, clipped to 0 to 1.

    A resample repeats samples, and what repeats looks like information: as Efron & Tibshirani 1993
    (chapter 10) estimate it, the bias is the resamples' mean minus the score. Without this many
    clusters give intervals that do not hold the score. A column without a score stays as it is.
    """
    n_defined = np.maximum((~np.isnan(drawn)).sum(0), 1)
    bias = np.nansum(drawn, axis=0) / n_defined - observed
    return np.clip(drawn - np.where(np.isnan(bias), 0.0, bias), 0.0, 1.0)


def few_clusters(
    labels: Int[NDArray[Any], " n"], rng: np.random.Generator
) -> Int[NDArray[Any], " n"]:
    """Return the clusters, merged into `MAX_CLUSTERS` random groups if there are more.

    Groups of independent clusters are independent, and vary as the clusters do.
    """
    n_clusters = int(labels.max()) + 1
    if n_clusters <= MAX_CLUSTERS:
        return labels
    return (rng.permutation(n_clusters) % MAX_CLUSTERS)[labels]


def score_interval(
    drawn: NDArray[np.float64], factors: Factors, settings: dict[str, Any]
) -> ScoreInterval:
    """Return the intervals; the last column is the score, those before it the factors."""
    each = [interval_of(column, settings) for column in drawn.T]
    return ScoreInterval(
        score=each[-1],
        by_factor=dict(zip(factors.names, each[:-1], strict=True)),
        settings=settings,
    )


def interval_of(drawn: NDArray[np.float64], settings: dict[str, Any]) -> PercentileInterval:
    """Return the interval of a value's resamples; `settings` are those of `bootstrap_settings`."""
    defined = drawn[~np.isnan(drawn)]
    if settings["n_clusters"] < 2:
        return PercentileInterval(
            low=None, high=None, reason="there is one cluster, nothing to resample"
        )
    if len(defined) < len(drawn) / 2:
        reason = f"the score is undefined in {len(drawn) - len(defined)} of {len(drawn)} resamples"
        return PercentileInterval(low=None, high=None, reason=reason)
    tail = (1 - settings["level"]) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return PercentileInterval(low=float(low), high=float(high))
