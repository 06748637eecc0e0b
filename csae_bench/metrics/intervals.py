"""Bootstrap intervals of MIG, value MIG, MIG-sup and FactorVAE's population form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csae_bench.metrics.bootstrap import (
    N_RESAMPLES,
    ScoreInterval,
    bootstrap_settings,
    centred,
    checked_clusters,
    cluster_bootstrap,
    cluster_draws,
    score_interval,
)
from csae_bench.metrics.contingency import (
    contingency,
    factor_entropies,
    information,
    mutual_information,
)
from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.discretise import equal_width_bins, sparse_bins
from csae_bench.metrics.eta_squared import standardised, weighted_eta_squared
from csae_bench.metrics.factor_vae import FactorVaePopulationScore, election
from csae_bench.metrics.gaps import factor_gaps, mean_activations, value_gaps
from csae_bench.metrics.inputs import CodesLike, FactorsLike, LabelsLike
from csae_bench.metrics.resampling import Resampled, Tables
from csae_bench.support.threads import mapped

N_CANDIDATES = 4
"""Latents kept for each factor and value: those elected, and others that could win a resample."""
MAX_TABLE_CELLS = 2**25
"""Limit, 256 MiB, up to which each cluster has its own counts, added up in every resample."""
BATCH = 16
"""Resamples whose counts are added up at once."""
N_SUP_LATENTS = 128
"""Latents of which `mig_sup`'s interval is taken."""


def mig_intervals(
    codes: CodesLike,
    factors: FactorsLike,
    clusters: LabelsLike,
    *,
    n_quantiles: int = 4,
    n_bins: int = 20,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, ScoreInterval]:
    """Intervals of `mig`, `value_mig` and `mig_sup`, by name.

    For speed, over the latents that could win: those elected on all samples, their runners-up and
    the next best; `mig_sup`, a mean over all latents, over 128 of them drawn at random. The
    intervals are centred on the scores: see `bootstrap.centred`.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        clusters: labels [n]; one cluster gives no interval.
        level: share of the resamples within the interval.

    Raises:
        MetricInputError: malformed or mismatched input, fewer than 1000 resamples.
    """
    codes, factors, labels = checked_clusters(codes, factors, clusters, level)
    bins: dict[str, Any] = {"n_quantiles": n_quantiles, "n_bins": n_bins}
    settings = bootstrap_settings(labels, n_resamples, level, seed) | bins
    names = ("mig", "value_mig", "mig_sup")
    rng = np.random.default_rng(seed)
    alive = np.flatnonzero(codes.varies)
    n_clusters = settings["n_clusters"]
    if n_clusters < 2 or not len(alive):
        empty = np.full((n_resamples, factors.n_factors + 1), np.nan)
        return {name: score_interval(empty, factors, settings) for name in names}
    sampled = rng.choice(alive, min(len(alive), N_SUP_LATENTS), replace=False)
    kept = np.union1d(_candidates(codes, factors, n_quantiles, n_bins), sampled)
    is_sampled = np.isin(kept, sampled)
    prepared = Resampled(codes.latents(kept), factors, **bins, sup_latents=is_sampled)
    one_hot = factors.one_hot()
    draws = cluster_draws(n_clusters, n_resamples, seed)
    each = mapped(prepared.statistics, _weighted_tables(prepared, one_hot, labels, draws))
    drawn = np.stack([np.concatenate([scores[name] for name in names]) for scores in each])
    of_names = dict(zip(names, np.split(drawn, len(names), axis=1), strict=True))
    observed = prepared.observed()
    if len(sampled) < len(alive):
        whole = Resampled(codes, factors, **bins)
        observed["mig_sup"] = whole.observed()["mig_sup"]
    return {
        name: score_interval(centred(of_names[name], observed[name]), factors, settings)
        for name in names
    }


def factor_vae_population_interval(
    codes: CodesLike,
    factors: FactorsLike,
    clusters: LabelsLike,
    score: FactorVaePopulationScore,
    *,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> ScoreInterval:
    """Bootstrap `factor_vae_population`, with the null's quantiles unchanged.

    A factor's own interval is that of a vote that is valid or not: 0 or 1 at either end.

    Args:
        score: of the same codes and factors.

    Raises:
        MetricInputError: malformed or mismatched input, fewer than 1000 resamples.
    """
    codes, factors, labels = checked_clusters(codes, factors, clusters, level)
    settings = bootstrap_settings(labels, n_resamples, level, seed)
    defined = np.array([score.votes[name] is not None for name in factors.names])
    if settings["n_clusters"] < 2 or not defined.any():
        empty = np.full((n_resamples, factors.n_factors + 1), np.nan)
        return score_interval(empty, factors, settings)
    quantiles = np.array(
        [1.0 if vote is None else vote.null_quantile_95 for vote in score.votes.values()]
    )
    units = standardised(codes)
    one_hot = factors.one_hot(np.float64)
    everyone = np.ones(factors.n, np.int64)
    shares = weighted_eta_squared(units.by_latent, one_hot, everyone, factors)
    kept = np.unique(_largest(shares, 2 * N_CANDIDATES))
    by_latent = units.by_latent[kept]

    def statistic(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        shares = weighted_eta_squared(by_latent, one_hot, drawn[labels], factors)
        accepted = np.where(
            defined, election(shares, quantiles).is_accepted.astype(np.float64), np.nan
        )
        return np.append(accepted, accepted[defined].mean())

    n_clusters = settings["n_clusters"]
    drawn = cluster_bootstrap(statistic, n_clusters, n_resamples=n_resamples, seed=seed)
    return score_interval(drawn, factors, settings)


def _weighted_tables(
    prepared: Resampled,
    one_hot: NDArray[np.int32],
    labels: NDArray[np.int64],
    draws: NDArray[np.int64],
) -> Iterator[Tables]:
    """Yield the tables of each resample from how often it draws each cluster."""
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
    on_values = information(table)
    by_value = value_gaps(on_values, table, mean_activations(codes, factors))
    classic = contingency(equal_width_bins(codes, n_bins), factors)
    info = mutual_information(classic)
    by_factor = factor_gaps(info, factor_entropies(classic))
    return np.unique(
        np.concatenate(
            [
                *(each for gaps in (by_value, by_factor) for each in (gaps.best, gaps.runner_up)),
                _largest(on_values.values, N_CANDIDATES),
                _largest(info, N_CANDIDATES),
            ]
        )
    )


def _largest(values: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Return the rows of the n largest values of each column, flat."""
    n = min(n, len(values))
    return np.argpartition(-values, n - 1, axis=0)[:n].ravel()
