"""Share of a latent's variance that a factor explains, eta^2, and its null."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.inputs import CodesLike, FactorsLike, same_samples
from csae_bench.metrics.nulls import permutations
from csae_bench.metrics.products import product
from csae_bench.support.threads import mapped


class Standardised(NamedTuple):
    """Codes whose squared deviations from the mean sum to 1 for each latent that varies."""

    by_latent: Any
    """scipy csr_array [d_sae, n]; all 0 for a latent that does not vary."""
    sums: Float[NDArray[Any], " d_sae"]
    """Sum over samples of each latent: zeros stay zeros, so it is not 0."""


def standardised(codes: Codes) -> Standardised:
    """Codes in units of their deviations, of any magnitude and offset, without loss of digits."""
    csc = codes.scaled
    counts = np.diff(csc.indptr)
    data = csc.data.copy()
    full = np.flatnonzero(counts == codes.n)
    if len(full):
        # a latent that is never 0 may have a mean far over its deviations
        values = data[csc.indptr[full][:, None] + np.arange(codes.n)]
        values -= values[:, :1]
        values -= values.mean(1, keepdims=True)
        largest = np.abs(values).max(1, keepdims=True)
        values /= np.where(largest > 0, largest, 1)
        data[csc.indptr[full][:, None] + np.arange(codes.n)] = values
    latents = np.repeat(np.arange(codes.d_sae), counts)
    sums = np.bincount(latents, data, minlength=codes.d_sae)
    squares = np.bincount(latents, data**2, minlength=codes.d_sae) - sums**2 / codes.n
    # below the rounding of the sums a latent is constant
    scale = np.where(squares > 1e-12, 1 / np.sqrt(np.maximum(squares, 1e-12)), 0)
    by_latent = type(csc)((data * scale[latents], csc.indices, csc.indptr), shape=csc.shape).T
    return Standardised(by_latent, sums * scale)


def eta_squared(codes: CodesLike, factors: FactorsLike) -> Float[NDArray[Any], "d_sae n_factors"]:
    """eta^2 = 1 - E_v Var(z | f = v) / Var(z) for each latent z and factor f, 0 to 1.

    The share of the latent's variance between the factor's values, with variances over the
    samples at hand. 0 for a latent that does not vary and for a factor of one value.

    Raises:
        MetricInputError: malformed or mismatched input.
    """
    codes, factors = same_samples(codes, factors)
    return explained(standardised(codes), factors.one_hot(np.float64), factors)


def explained(
    units: Standardised, one_hot: NDArray[np.float64], factors: Factors
) -> NDArray[np.float64]:
    """`eta_squared` for a table of factors in another order: one_hot float [n, n_values_total]."""
    sums = product(units.by_latent, one_hot)
    between = sums**2 / np.maximum(factors.value_counts, 1)
    shares = np.add.reduceat(between, factors.value_ptr[:-1], axis=1)
    shares -= (units.sums**2 / factors.n)[:, None]
    # what one value leaves is the rounding of the sums
    return np.where(shares < 1e-12, 0.0, np.minimum(shares, 1.0))


def weighted_eta_squared(
    by_latent: Any, one_hot: NDArray[np.float64], weights: NDArray[np.int64], factors: Factors
) -> NDArray[np.float64]:
    """`eta_squared` [d_sae, n_factors] with each sample as often as its whole weight says.

    Args:
        by_latent: of `standardised`, of all latents or some.
        one_hot: [n, n_values_total], as in `Factors.one_hot`.
    """
    weighted = one_hot * weights[:, None]
    counts, n = weighted.sum(0), weights.sum()
    sums = product(by_latent, weighted)
    first = slice(0, factors.value_ptr[1])
    square_of_sum = sums[:, first].sum(1) ** 2 / n
    total = by_latent.power(2) @ weights.astype(np.float64) - square_of_sum
    between = np.add.reduceat(sums**2 / np.maximum(counts, 1), factors.value_ptr[:-1], axis=1)
    between -= square_of_sum[:, None]
    # a latent may not vary in a resample
    shares = between / np.maximum(total, 1e-12)[:, None]
    return np.where(total[:, None] > 1e-12, np.clip(shares, 0, 1), 0)


def null_of_largest(
    units: Standardised, factors: Factors, n_permutations: int, seed: int
) -> Float[NDArray[Any], "n_permutations n_factors"]:
    """Draw the largest eta^2 of all latents with each factor, the samples' factors permuted."""
    one_hot = factors.one_hot(np.float64)
    orders = permutations(factors.n, n_permutations, seed)
    return np.stack(
        list(mapped(lambda order: explained(units, one_hot[order], factors).max(0), orders))
    )
