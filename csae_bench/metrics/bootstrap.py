"""How sure a score is: percentile intervals from resampling whole clusters of prompts.

Prompts of one frame or template are no independent draws, so clusters are drawn with replacement
and not prompts. Bins stay as they are; the best latents are chosen anew in every resample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from csae_bench.metrics.contingency import (
    contingency,
    factor_entropies,
    information,
    mutual_information,
)
from csae_bench.metrics.data import Codes, Factors, MetricInputError, check_same_samples
from csae_bench.metrics.discretise import equal_width_bins, sparse_bins
from csae_bench.metrics.eta_squared import standardised
from csae_bench.metrics.factor_vae import FactorVaePopulationScore, election
from csae_bench.metrics.gaps import factor_gaps, mean_activations, value_gaps
from csae_bench.metrics.resampling import Resampled, Tables

N_RESAMPLES = 1000
MIN_RESAMPLES = 1000
N_CANDIDATES = 4
"""Latents kept for each factor and value: with those elected, the ones that could win again."""
MAX_TABLE_CELLS = 2**25
"""Where the clusters' counts fit in 256 MiB, each has its own, added up in every resample."""
BATCH = 16
"""Resamples whose counts are added up at once."""
N_SUP_LATENTS = 128
"""Latents of which `mig_sup`'s interval is taken."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A percentile interval; `low` and `high` are None, with a reason, where there is none."""

    low: float | None
    high: float | None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScoreInterval:
    """The intervals of a score and of its factors."""

    score: Interval
    by_factor: dict[str, Interval]
    settings: dict[str, Any]


def cluster_bootstrap(
    statistic: Callable[[Int[NDArray[Any], " n_clusters"]], NDArray[np.float64]],
    n_clusters: int,
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Float[NDArray[Any], "n_resamples n_values"]:
    """A statistic's values on resamples of whole clusters.

    Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 13. With few
    clusters (below 10 or so) the percentile interval of these covers too little.

    Args:
        statistic: of how often each cluster was drawn, an array of any length, NaN allowed.

    Raises:
        MetricInputError: fewer than 1000 resamples.
    """
    return np.stack([statistic(drawn) for drawn in cluster_draws(n_clusters, n_resamples, seed)])


def cluster_draws(
    n_clusters: int, n_resamples: int, seed: int
) -> Int[NDArray[Any], "n_resamples n_clusters"]:
    """How often each resample draws each cluster: n_clusters draws with replacement.

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


def mig_intervals(
    codes: Any,
    factors: Any,
    clusters: Any,
    *,
    n_quantiles: int = 4,
    n_bins: int = 20,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, ScoreInterval]:
    """Intervals of `mig`, `value_mig` and `mig_sup`, by name.

    For speed, over the latents that could win: those elected on all samples, their runners-up and
    the next best. `mig_sup`, a mean over all latents, is taken over 128 of them drawn at random,
    and its interval moved to where the mean over all lies.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        clusters: labels [n]; one cluster gives no interval.
        level: share of the resamples within the interval.

    Raises:
        MetricInputError: malformed or mismatched input, fewer than 1000 resamples.
    """
    codes, factors, labels = _checked(codes, factors, clusters, level)
    settings = _settings(labels, n_resamples, level, seed)
    settings |= {"n_quantiles": n_quantiles, "n_bins": n_bins}
    names = ("mig", "value_mig", "mig_sup")
    rng = np.random.default_rng(seed)
    alive = np.flatnonzero(codes.varies)
    n_clusters = settings["n_clusters"]
    if n_clusters < 2 or not len(alive):
        empty = np.full((n_resamples, factors.n_factors + 1), np.nan)
        return {name: _score_interval(empty, factors, settings) for name in names}
    sampled = rng.choice(alive, min(len(alive), N_SUP_LATENTS), replace=False)
    kept = np.union1d(_candidates(codes, factors, n_quantiles, n_bins), sampled)
    is_sampled = np.isin(kept, sampled)
    prepared = Resampled(
        codes.latents(kept),
        factors,
        n_quantiles=n_quantiles,
        n_bins=n_bins,
        sup_latents=is_sampled,
    )
    one_hot = factors.one_hot()
    draws = cluster_draws(n_clusters, n_resamples, seed)
    each = (
        prepared.statistics(tables) for tables in _weighted_tables(prepared, one_hot, labels, draws)
    )
    drawn = np.stack([np.concatenate([found[name] for name in names]) for found in each])
    of_names = dict(zip(names, np.split(drawn, len(names), axis=1), strict=True))
    if len(sampled) < len(alive):
        whole = Resampled(codes, factors, n_quantiles=n_quantiles, n_bins=n_bins)
        of_names["mig_sup"] = of_names["mig_sup"] + (
            whole.statistics(whole.tables(one_hot))["mig_sup"]
            - prepared.statistics(prepared.tables(one_hot))["mig_sup"]
        )
    return {name: _score_interval(of_names[name], factors, settings) for name in names}


def factor_vae_population_interval(
    codes: Any,
    factors: Any,
    clusters: Any,
    score: FactorVaePopulationScore,
    *,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> ScoreInterval:
    """The interval of `factor_vae_population`, the null's quantiles as they were.

    A factor's own interval is that of a vote that stands or does not: 0 or 1 at either end.

    Args:
        score: of the same codes and factors.

    Raises:
        MetricInputError: malformed or mismatched input, fewer than 1000 resamples.
    """
    codes, factors, labels = _checked(codes, factors, clusters, level)
    settings = _settings(labels, n_resamples, level, seed)
    defined = np.array([score.votes[name] is not None for name in factors.names])
    if settings["n_clusters"] < 2 or not defined.any():
        empty = np.full((n_resamples, factors.n_factors + 1), np.nan)
        return _score_interval(empty, factors, settings)
    quantiles = np.array(
        [1.0 if vote is None else vote.null_quantile_95 for vote in score.votes.values()]
    )
    units = standardised(codes)
    one_hot = factors.one_hot(np.float64)
    everyone = np.ones(factors.n, np.int64)
    shares = _weighted_eta_squared(units.by_latent, one_hot, everyone, factors)
    kept = np.unique(_largest(shares, 2 * N_CANDIDATES))
    by_latent = units.by_latent[kept]

    def statistic(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        shares = _weighted_eta_squared(by_latent, one_hot, drawn[labels], factors)
        stands = np.where(defined, election(shares, quantiles).stands.astype(np.float64), np.nan)
        return np.append(stands, stands[defined].mean())

    n_clusters = settings["n_clusters"]
    drawn = cluster_bootstrap(statistic, n_clusters, n_resamples=n_resamples, seed=seed)
    return _score_interval(drawn, factors, settings)


def _checked(
    codes: Any, factors: Any, clusters: Any, level: float
) -> tuple[Codes, Factors, NDArray[np.int64]]:
    codes, factors = Codes.of(codes), Factors.of(factors)
    check_same_samples(codes, factors)
    labels = Factors.of({"cluster": clusters}).values[:, 0]
    if len(labels) != codes.n:
        raise MetricInputError(
            f"there are codes of {codes.n} samples and clusters of {len(labels)}; give one label "
            "a sample, in the same order."
        )
    if not 0 < level < 1:
        raise MetricInputError(f"level is {level}; it must be between 0 and 1.")
    return codes, factors, labels


def _settings(
    labels: NDArray[np.int64], n_resamples: int, level: float, seed: int
) -> dict[str, Any]:
    return {
        "n_clusters": int(labels.max()) + 1,
        "n_resamples": n_resamples,
        "level": level,
        "seed": seed,
    }


def _weighted_tables(
    prepared: Resampled,
    one_hot: NDArray[np.int32],
    labels: NDArray[np.int64],
    draws: NDArray[np.int64],
) -> Iterator[Tables]:
    """The tables of each resample from how often it draws each cluster."""
    n_clusters = draws.shape[1]
    if n_clusters * prepared.n_rows * one_hot.shape[1] > MAX_TABLE_CELLS:
        for drawn in draws:
            yield prepared.tables(one_hot * drawn[labels, None].astype(np.int32))
        return
    of_clusters = [
        prepared.tables(one_hot * (labels == cluster)[:, None]) for cluster in range(n_clusters)
    ]
    # as float64 the sum over clusters is one fast product, and exact
    stacked = [np.stack(parts).astype(np.float64) for parts in zip(*of_clusters, strict=True)]
    for first in range(0, len(draws), BATCH):
        weights = draws[first : first + BATCH].astype(np.float64)
        summed = [np.tensordot(weights, part, 1) for part in stacked]
        for sparse, equal_width, sums, counts in zip(*summed, strict=True):
            yield Tables(
                sparse.astype(np.int32), equal_width.astype(np.int32), sums, counts.astype(np.int64)
            )


def _candidates(codes: Codes, factors: Factors, n_quantiles: int, n_bins: int) -> NDArray[np.int64]:
    table = contingency(sparse_bins(codes, n_quantiles), factors)
    found = information(table)
    by_value = value_gaps(found, table, mean_activations(codes, factors))
    classic = contingency(equal_width_bins(codes, n_bins), factors)
    informations = mutual_information(classic)
    by_factor = factor_gaps(informations, factor_entropies(classic))
    return np.unique(
        np.concatenate(
            [
                *(each for gaps in (by_value, by_factor) for each in (gaps.best, gaps.runner_up)),
                _largest(found.values, N_CANDIDATES),
                _largest(informations, N_CANDIDATES),
            ]
        )
    )


def _largest(values: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """The rows of the n largest values of each column, flat."""
    n = min(n, len(values))
    return np.argpartition(-values, n - 1, axis=0)[:n].ravel()


def _weighted_eta_squared(
    by_latent: Any, one_hot: NDArray[np.float64], weights: NDArray[np.int64], factors: Factors
) -> NDArray[np.float64]:
    weighted = one_hot * weights[:, None]
    counts, n = weighted.sum(0), weights.sum()
    sums = by_latent @ weighted
    first = slice(0, factors.value_ptr[1])
    square_of_sum = sums[:, first].sum(1) ** 2 / n
    total = by_latent.power(2) @ weights.astype(np.float64) - square_of_sum
    between = np.add.reduceat(sums**2 / np.maximum(counts, 1), factors.value_ptr[:-1], axis=1)
    between -= square_of_sum[:, None]
    # a latent may not vary in a resample
    shares = between / np.maximum(total, 1e-12)[:, None]
    return np.where(total[:, None] > 1e-12, np.clip(shares, 0, 1), 0)


def _score_interval(
    drawn: NDArray[np.float64], factors: Factors, settings: dict[str, Any]
) -> ScoreInterval:
    """The last column is the score, those before it the factors."""
    each = [_interval(column, settings) for column in drawn.T]
    return ScoreInterval(
        score=each[-1],
        by_factor=dict(zip(factors.names, each[:-1], strict=True)),
        settings=settings,
    )


def _interval(drawn: NDArray[np.float64], settings: dict[str, Any]) -> Interval:
    defined = drawn[~np.isnan(drawn)]
    if settings["n_clusters"] < 2:
        return Interval(low=None, high=None, reason="there is one cluster, nothing to resample")
    if len(defined) < len(drawn) / 2:
        reason = f"the score is undefined in {len(drawn) - len(defined)} of {len(drawn)} resamples"
        return Interval(low=None, high=None, reason=reason)
    tail = (1 - settings["level"]) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(low=float(low), high=float(high))
