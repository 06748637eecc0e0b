"""Permutation nulls: values of a metric where codes and factors are unrelated.

The largest of thousands of informations is well above 0 by chance alone. The factors of the
samples are permuted among them, all factors together, and the metric is computed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csae_bench.metrics.data import Factors, MetricInputError
from csae_bench.metrics.inputs import CodesLike, FactorsLike, same_samples
from csae_bench.metrics.resampling import SCORES, Resampled
from csae_bench.support.threads import mapped

N_PERMUTATIONS = 200


@dataclass(frozen=True, kw_only=True)
class Null:
    """A value with its permutation null."""

    observed: float
    mean: float
    """Mean of the null: the bias."""
    quantile_95: float
    p: float
    """(1 + permutations that reach the observed value) / (1 + permutations), one-sided."""
    adjusted: float
    """observed - mean: about 0 without a relation, and negative half of the time."""


@dataclass(frozen=True, kw_only=True)
class ScoreNull:
    """The null of a score and of its factors; None where the score is undefined."""

    score: Null | None
    by_factor: dict[str, Null | None]


@dataclass(frozen=True, kw_only=True)
class PermutationNull:
    """Nulls of the information scores, all from the same permutations."""

    maximum: ScoreNull
    """The best latent's information on a factor, in units of its entropy, on sparse bins."""
    mig: ScoreNull
    value_mig: ScoreNull
    mig_sup: ScoreNull
    settings: dict[str, Any]


def permutation_null(
    codes: CodesLike,
    factors: FactorsLike,
    *,
    n_permutations: int = N_PERMUTATIONS,
    n_quantiles: int = 4,
    n_bins: int = 20,
    seed: int = 0,
) -> PermutationNull:
    """Nulls of the maximum over latents and of `mig`, `value_mig` and `mig_sup`.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        n_permutations: the smallest p is 1 / (1 + this).
        n_quantiles: of the sparse bins of all but `mig`.
        n_bins: of equal width, of `mig`.

    Raises:
        MetricInputError: malformed or mismatched input, or no permutation.
    """
    codes, factors = same_samples(codes, factors)
    prepared = Resampled(codes, factors, n_quantiles=n_quantiles, n_bins=n_bins)
    one_hot = factors.one_hot()
    observed = prepared.observed()
    orders = permutations(factors.n, n_permutations, seed)
    draws = list(mapped(lambda order: prepared.statistics(prepared.tables(one_hot[order])), orders))
    nulls = {
        name: _score_null(factors, observed[name], np.stack([draw[name] for draw in draws]))
        for name in SCORES
    }
    settings = {
        "n_permutations": n_permutations,
        "n_quantiles": n_quantiles,
        "n_bins": n_bins,
        "seed": seed,
    }
    return PermutationNull(**nulls, settings=settings)


def permutations(n: int, n_permutations: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Random orders of n samples.

    Raises:
        MetricInputError: n_permutations is below 1.
    """
    if n_permutations < 1:
        raise MetricInputError(f"n_permutations is {n_permutations}; it must be at least 1.")
    rng = np.random.default_rng(seed)
    for _ in range(n_permutations):
        yield rng.permutation(n)


def null_of(observed: float, draws: NDArray[np.float64]) -> Null | None:
    """Compare a value with draws of its null [n_permutations]; None for NaN."""
    if np.isnan(observed):
        return None
    # an information that is the same but for rounding reaches the observed one
    reached = np.count_nonzero(draws >= observed - 1e-12)
    return Null(
        observed=float(observed),
        mean=float(draws.mean()),
        quantile_95=float(np.quantile(draws, 0.95)),
        p=(1 + reached) / (1 + len(draws)),
        adjusted=float(observed - draws.mean()),
    )


def _score_null(
    factors: Factors, observed: NDArray[np.float64], draws: NDArray[np.float64]
) -> ScoreNull:
    """Return the nulls; the last column is the score, those before it the factors."""
    of_factors = {
        name: null_of(value, _defined(column))
        for name, value, column in zip(factors.names, observed, draws.T, strict=False)
    }
    return ScoreNull(score=null_of(observed[-1], _defined(draws[:, -1])), by_factor=of_factors)


def _defined(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draws with 0 for those without a value: no latent knew most of that factor."""
    return np.nan_to_num(draws, nan=0.0)
