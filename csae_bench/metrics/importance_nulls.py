"""Permutation nulls of the scores that rest on many latents at once: DCI, modularity and SAP.

Their values without any relation are far from 0: each of thousands of latents has a little
information by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from csae_bench.metrics.data import Factors
from csae_bench.metrics.dci import dci
from csae_bench.metrics.holdout import training_samples
from csae_bench.metrics.importances import SparseCounter, importances_of, sparse_counter
from csae_bench.metrics.inputs import CodesLike, FactorsLike, LabelsLike, same_samples
from csae_bench.metrics.modularity import modularity_of
from csae_bench.metrics.nulls import ScoreNull, null_of, permutations
from csae_bench.metrics.sap import sap_of
from csae_bench.metrics.score import Score

IMPORTANCE_SCORES = ("dci_disentanglement", "dci_completeness", "modularity", "sap")

N_PERMUTATIONS = 20
"""These scores move little between permutations."""


def importance_nulls(
    codes: CodesLike,
    factors: FactorsLike,
    *,
    clusters: LabelsLike | None = None,
    n_permutations: int = N_PERMUTATIONS,
    n_quantiles: int = 4,
    train_share: float = 0.75,
    seed: int = 0,
) -> dict[str, ScoreNull]:
    """Nulls of `dci_disentanglement`, `dci_completeness`, `modularity` and `sap`.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        clusters: [n] labels that the split of `sap` does not part.
        n_permutations: the smallest p is 1 / (1 + this).
        n_quantiles: bins of a latent's non-zeros; see `sparse_bins`.
        train_share: of the samples, for `sap`.
        seed: of the permutations and of the split.

    Raises:
        MetricInputError: malformed or mismatched input, or no permutation.
    """
    codes, factors = same_samples(codes, factors)
    counted = sparse_counter(codes, n_quantiles)
    train = training_samples(codes.n, clusters, share=train_share, seed=seed)
    observed = _scores(counted, factors, train)
    draws = [
        _scores(counted, factors.samples(order), train)
        for order in permutations(codes.n, n_permutations, seed)
    ]
    return {
        name: _score_null(score, [draw[name] for draw in draws]) for name, score in observed.items()
    }


def _scores(counted: SparseCounter, factors: Factors, train: Any) -> Mapping[str, Score]:
    importances = importances_of(counted, factors)
    of_importances = dci(importances)
    return {
        "dci_disentanglement": of_importances.disentanglement,
        "dci_completeness": of_importances.completeness,
        "modularity": modularity_of(importances),
        "sap": sap_of(counted, factors, train, {}),
    }


def _score_null(observed: Score, draws: list[Score]) -> ScoreNull:
    """Return the null; a draw without a value counts as 0: no latent knew anything."""

    def null(value: float | None, drawn: list[float | None]) -> Any:
        return None if value is None else null_of(value, np.array([v or 0.0 for v in drawn]))

    return ScoreNull(
        score=null(observed.value, [draw.value for draw in draws]),
        by_factor={
            name: null(value, [draw.by_factor[name] for draw in draws])
            for name, value in observed.by_factor.items()
        },
    )
