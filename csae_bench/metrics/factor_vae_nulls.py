"""Permutation nulls of both FactorVAE scores: their values where no latent is informative."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from csae_bench.metrics.eta_squared import explained, standardised
from csae_bench.metrics.factor_vae import FactorVaePopulationScore, election, factor_vae
from csae_bench.metrics.inputs import CodesLike, FactorsLike, same_samples
from csae_bench.metrics.nulls import ScoreNull, null_of, permutations
from csae_bench.metrics.score import Score
from csae_bench.support.threads import mapped

N_PERMUTATIONS = 20
"""For the classic score, which draws 15,000 votes for each and moves little between them."""


def factor_vae_null(
    codes: CodesLike,
    factors: FactorsLike,
    score: Score,
    *,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
) -> ScoreNull:
    """Draw the null of `factor_vae`, which is about chance, at the settings of `score`.

    Args:
        score: of the same codes and factors.
        n_permutations: the smallest p is 1 / (1 + this).

    Raises:
        MetricInputError: malformed or mismatched input, or no permutation.
    """
    codes, factors = same_samples(codes, factors)
    names = ("delta", "batch_size", "n_train", "n_eval", "seed")
    settings = {name: score.settings[name] for name in names}
    orders = permutations(factors.n, n_permutations, seed)
    draws = list(
        mapped(lambda order: factor_vae(codes, factors.samples(order), **settings), orders)
    )
    return ScoreNull(
        score=_null(score.value, [draw.value for draw in draws]),
        by_factor={
            name: _null(value, [draw.by_factor[name] for draw in draws])
            for name, value in score.by_factor.items()
        },
    )


def factor_vae_population_null(
    codes: CodesLike,
    factors: FactorsLike,
    score: FactorVaePopulationScore,
    *,
    n_permutations: int = 200,
    seed: int = 0,
) -> ScoreNull:
    """Draw the null of `factor_vae_population`: the share of votes that are valid by chance.

    The votes of permuted factors against the quantiles that those of `score` were held against,
    which came from other permutations.

    Args:
        score: of the same codes and factors.

    Raises:
        MetricInputError: malformed or mismatched input, or no permutation.
    """
    codes, factors = same_samples(codes, factors)
    defined = np.array([vote is not None for vote in score.votes.values()])
    if not defined.any():
        return ScoreNull(score=None, by_factor=dict.fromkeys(factors.names))
    quantiles = np.array(
        [1.0 if vote is None else vote.null_quantile_95 for vote in score.votes.values()]
    )
    units, one_hot = standardised(codes), factors.one_hot(np.float64)

    def is_accepted(order: NDArray[np.int64]) -> NDArray[np.bool_]:
        return election(explained(units, one_hot[order], factors), quantiles).is_accepted

    # other permutations than the quantiles'
    orders = permutations(factors.n, n_permutations, seed + 2**31)
    accepted = np.stack(list(mapped(is_accepted, orders))).astype(np.float64)
    each = {
        name: _null(score.by_factor[name], accepted[:, k]) for k, name in enumerate(factors.names)
    }
    return ScoreNull(score=_null(score.value, accepted[:, defined].mean(1)), by_factor=each)


def _null(observed: float | None, draws: list[float | None] | NDArray[np.float64]) -> Any:
    if observed is None:
        return None
    return null_of(observed, np.array([0.0 if draw is None else draw for draw in draws]))
