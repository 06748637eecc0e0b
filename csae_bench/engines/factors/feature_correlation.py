"""Measurements of the feature correlation eval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from csae_bench.engines.factors.reporting import Measured
from csae_bench.engines.factors.samples import Samples
from csae_bench.factors import Pooling
from csae_bench.metrics.correlation import (
    FactorCorrelations,
    correlations,
    factor_correlations,
    mean_correlation_coefficient,
)
from csae_bench.metrics.correlation_statistics import (
    correlation_interval,
    correlation_null,
    held_out_correlation,
)
from csae_bench.metrics.data import Codes
from csae_bench.metrics.dci import dci
from csae_bench.metrics.explicitness import explicitness
from csae_bench.metrics.importance_nulls import importance_nulls
from csae_bench.metrics.importances import information_importances
from csae_bench.metrics.modularity import modularity_of
from csae_bench.metrics.redundancy import redundancy
from csae_bench.metrics.sap import sap
from csae_bench.metrics.score import Score

NO_TRUE_FEATURES = "the true features of this dataset are not known"
NO_RANK = "no latent varies over the samples that are drawn"


@dataclass(frozen=True, kw_only=True, eq=False)
class Association:
    """Associations of latents with factors, each other and true features."""

    samples: Samples
    with_factors: FactorCorrelations
    measured: dict[str, Measured]
    n_latents_judged: int
    """Number of latents judged for near-duplicates."""
    matches: dict[str, dict[str, float | int | None]]
    """True feature -> matched latent and |r|; empty where true features are not known."""

    def strongest(self, factor: str, n: int) -> dict[str, Any]:
        """Return at most n latents with the largest eta on a factor, and their correlations."""
        correlations = self.with_factors
        k = self.samples.factors.names.index(factor)
        none_varies = correlations.by_factor[factor] is None
        rows = [] if none_varies else np.argsort(-correlations.eta[:, k], kind="stable")[:n]
        signed = correlations.pearson.get(factor)
        return {
            "latents": [int(correlations.latents[row]) for row in rows],
            "eta": [float(correlations.eta[row, k]) for row in rows],
            "cramers_v": [float(correlations.cramers_v[row, k]) for row in rows],
            "pearson": None if signed is None else [float(signed[row]) for row in rows],
        }

    def with_values(
        self, latents: Sequence[int]
    ) -> Float[NDArray[Any], "n_values_total n_latents"]:
        """Correlate latents with having each value of each factor: Pearson, -1 to 1."""
        one_hot = self.samples.factors.one_hot(np.float64)
        if not latents:
            return np.zeros((one_hot.shape[1], 0))
        chosen = self.samples.codes.latents(np.array(latents))
        return correlations(chosen, Codes.of(one_hot)).T


def measure(
    samples: Samples,
    *,
    n_permutations: int,
    n_importance_permutations: int,
    n_resamples: int,
    n_quantiles: int,
    duplicate_threshold: float,
    min_firings: int,
    seed: int,
) -> Association:
    """Compute all scores of the eval, with nulls, intervals and held-out scores.

    Splits and resamples are of whole templates.
    """
    codes, factors = samples.codes, samples.factors
    clusters = np.array(samples.templates) if samples.n_templates > 1 else None
    with_factors = factor_correlations(codes, factors, n_quantiles=n_quantiles)
    half = samples.half_of_templates(seed)
    best = Measured(
        score=with_factors,
        null=correlation_null(
            codes, factors, with_factors, n_permutations=n_permutations, seed=seed
        ),
        interval=correlation_interval(
            codes, factors, samples.templates, n_resamples=n_resamples, seed=seed
        ),
        held_out=None if half is None else held_out_correlation(codes, factors, half),
        poolings={
            pooling: factor_correlations(each, factors, n_quantiles=n_quantiles)
            for pooling, each in samples.over_tokens()
        },
    )
    repeated = redundancy(codes, threshold=duplicate_threshold, min_firings=min_firings, seed=seed)
    match, matches = _match(samples)
    return Association(
        samples=samples,
        with_factors=with_factors,
        measured={
            "best_correlation": best,
            **_importances(samples, clusters, n_importance_permutations, n_quantiles, seed),
            "explicitness": Measured(
                score=explicitness(codes, factors, clusters=clusters, seed=seed)
            ),
            "near_duplicates": Measured(
                score=_overall(repeated.value, repeated.reason, repeated.settings)
            ),
            "effective_rank": Measured(
                score=_overall(
                    repeated.effective_rank, repeated.reason or NO_RANK, repeated.settings
                )
            ),
            "mean_correlation_coefficient": Measured(score=match),
        },
        n_latents_judged=len(repeated.latents),
        matches=matches,
    )


def _importances(
    samples: Samples, clusters: Any, n_permutations: int, n_quantiles: int, seed: int
) -> dict[str, Measured]:
    codes, factors = samples.codes, samples.factors

    def scores_of(codes: Codes) -> dict[str, Score]:
        importances = information_importances(codes, factors, n_quantiles=n_quantiles)
        of_importances = dci(importances)
        return {
            "dci_disentanglement": of_importances.disentanglement,
            "dci_completeness": of_importances.completeness,
            "modularity": modularity_of(importances),
            "sap": sap(codes, factors, clusters=clusters, n_quantiles=n_quantiles, seed=seed),
        }

    pooled: dict[Pooling, dict[str, Score]] = {
        pooling: scores_of(each) for pooling, each in samples.over_tokens()
    }
    nulls = importance_nulls(
        codes,
        factors,
        clusters=clusters,
        n_permutations=n_permutations,
        n_quantiles=n_quantiles,
        seed=seed,
    )
    return {
        name: Measured(
            score=score,
            null=nulls[name],
            poolings={pooling: scores[name] for pooling, scores in pooled.items()},
        )
        for name, score in scores_of(codes).items()
    }


def _match(samples: Samples) -> tuple[Score, dict[str, dict[str, float | int | None]]]:
    dataset = samples.encoded.dataset
    if dataset.features is None:
        return _overall(None, NO_TRUE_FEATURES, {}), {}
    values = dataset.features.values
    names = dataset.names if len(dataset.names) == values.shape[1] else None
    mcc = mean_correlation_coefficient(samples.codes, values, names)
    matches: dict[str, dict[str, float | int | None]] = {
        name: {"latent": mcc.latents[name], "correlation": value}
        for name, value in mcc.by_feature.items()
    }
    return _overall(mcc.value, mcc.reason, mcc.settings), matches


def _overall(value: float | None, reason: str | None, settings: dict[str, Any]) -> Score:
    """Make a score without values by factor."""
    return Score(
        value=value,
        reason=reason if value is None else None,
        by_factor={},
        reason_by_factor={},
        settings=settings,
    )
