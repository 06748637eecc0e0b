"""Uncertainty of the largest correlation with a factor: null, interval, and held-out samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from csae_bench.metrics.bootstrap import (
    N_RESAMPLES,
    ScoreInterval,
    bootstrap_settings,
    centred,
    checked_clusters,
    cluster_bootstrap,
    score_interval,
)
from csae_bench.metrics.correlation import FactorCorrelations
from csae_bench.metrics.eta_squared import (
    eta_squared,
    null_of_largest,
    standardised,
    weighted_eta_squared,
)
from csae_bench.metrics.importances import varying_factors
from csae_bench.metrics.inputs import CodesLike, FactorsLike, LabelsLike, same_samples
from csae_bench.metrics.nulls import N_PERMUTATIONS, ScoreNull, null_of
from csae_bench.metrics.score import Score, no_score, score_fields, why_no_latent_varies

N_CANDIDATES = 16
"""Latents kept for each factor: those that could win in a resample."""


def correlation_null(
    codes: CodesLike,
    factors: FactorsLike,
    score: FactorCorrelations,
    *,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
) -> ScoreNull:
    """Draw the permutation null of the best latent's eta, and of its mean over factors.

    Args:
        score: of the same codes and factors.

    Raises:
        MetricInputError: malformed or mismatched input, or no permutation.
    """
    codes, factors = same_samples(codes, factors)
    draws = np.sqrt(null_of_largest(standardised(codes), factors, n_permutations, seed))
    defined = [value is not None for value in score.by_factor.values()]
    if score.value is None:
        return ScoreNull(score=None, by_factor=dict.fromkeys(factors.names))
    return ScoreNull(
        score=null_of(score.value, draws[:, defined].mean(1)),
        by_factor={
            name: None if value is None else null_of(value, column)
            for (name, value), column in zip(score.by_factor.items(), draws.T, strict=True)
        },
    )


def correlation_interval(
    codes: CodesLike,
    factors: FactorsLike,
    clusters: LabelsLike,
    *,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> ScoreInterval:
    """Bootstrap the best latent's eta, chosen again in every resample, and the mean over factors.

    The interval is centred on the score: see `bootstrap.centred`.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        clusters: labels [n]; one cluster gives no interval.

    Raises:
        MetricInputError: malformed or mismatched input, fewer than 1000 resamples.
    """
    codes, factors, labels = checked_clusters(codes, factors, clusters, level)
    settings = bootstrap_settings(labels, n_resamples, level, seed)
    varying = varying_factors(factors)
    if settings["n_clusters"] < 2 or not len(varying) or why_no_latent_varies(codes):
        empty = np.full((n_resamples, factors.n_factors + 1), np.nan)
        return score_interval(empty, factors, settings)
    shares = eta_squared(codes, factors)
    n_kept = min(N_CANDIDATES, codes.d_sae)
    kept = np.unique(np.argpartition(-shares, n_kept - 1, axis=0)[:n_kept])
    by_latent = standardised(codes).by_latent[kept]
    one_hot = factors.one_hot(np.float64)

    def statistic(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        largest = np.full(factors.n_factors, np.nan)
        eta_squared = weighted_eta_squared(by_latent, one_hot, drawn[labels], factors)
        largest[varying] = np.sqrt(eta_squared.max(0)[varying])
        return np.append(largest, largest[varying].mean())

    drawn = cluster_bootstrap(statistic, settings["n_clusters"], n_resamples=n_resamples, seed=seed)
    observed = statistic(np.ones(settings["n_clusters"], np.int64))
    return score_interval(centred(drawn, observed), factors, settings)


def held_out_correlation(
    codes: CodesLike, factors: FactorsLike, chosen_on: Bool[NDArray[Any], " n"]
) -> Score:
    """Compute eta on other samples, for each factor's latent chosen on `chosen_on`; 0 to 1.

    Raises:
        MetricInputError: malformed or mismatched input.
    """
    codes, factors = same_samples(codes, factors)
    settings = {"n_chosen_on": int(chosen_on.sum()), "n_scored_on": int((~chosen_on).sum())}
    sides = [(codes.samples(mask), factors.samples(mask)) for mask in (chosen_on, ~chosen_on)]
    reasons = [why_no_latent_varies(side) for side, _ in sides]
    why = next((f"on one split {reason}" for reason in reasons if reason), None)
    if why:
        return Score(**no_score(factors, why), settings=settings)
    choosing, scoring = (eta_squared(*side) for side in sides)
    best = choosing.argmax(0)
    eta = np.sqrt(scoring[best, np.arange(factors.n_factors)])
    on_both = np.intersect1d(varying_factors(sides[0][1]), varying_factors(sides[1][1]))
    by_factor = np.full(factors.n_factors, np.nan)
    by_factor[on_both] = eta[on_both]
    reason = {name: f"factor '{name}' has one value on one of the splits" for name in factors.names}
    return Score(**score_fields(factors, by_factor, reason), settings=settings)
