"""Gaps between the most informative latents, which MIG, value MIG and MIG-sup average.

Arrays in, arrays out; NaN where a factor or value has no entropy.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from csae_bench.metrics.contingency import (
    Contingency,
    Information,
    contingency,
    factor_entropies,
    value_entropies,
    value_information,
)
from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.discretise import sparse_bins
from csae_bench.metrics.inputs import CodesLike, FactorsLike

_ROUNDING = 1e-12
"""What equal numbers of order 1 differ by at most once they are summed in another order."""


class Gaps(NamedTuple):
    """For each factor, or each value: the gap in units of its entropy, and the best latent."""

    gaps: Float[NDArray[Any], " n"]
    best: Int[NDArray[Any], " n"]
    """The most informative latent, the first of equals."""
    runner_up: Int[NDArray[Any], " n"]
    """The latent that the gap is to; the best one itself where there is no other."""
    highest: Float[NDArray[Any], " n"]
    """The best latent's information in units of entropy."""


def normalised(
    information: NDArray[np.float64], entropies: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Information [d_sae, n] over the entropies [n], 0 to 1; NaN where there is no entropy."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.minimum(information / entropies, 1.0)
    shares[:, entropies == 0] = np.nan
    return shares


def first_best(values: NDArray[np.float64], axis: int) -> NDArray[np.int64]:
    """Return the places of the largest along an axis; of those equal up to rounding the first.

    Counts of few samples make ties common, and the machine decides which of two sums that should be
    equal has the larger last bit.

    Args:
        values: of order 1.
    """
    return (values >= values.max(axis, keepdims=True) - _ROUNDING).argmax(axis)


def factor_gaps(information: NDArray[np.float64], entropies: NDArray[np.float64]) -> Gaps:
    """Best minus second best latent for each factor; of one latent, against nothing."""
    shares = normalised(information, entropies)
    best, highest = first_best(shares, 0), shares.max(0)
    shares[best, np.arange(len(best))] = -np.inf if len(shares) > 1 else 0
    runner_up = first_best(shares, 0)
    return Gaps(highest - _pick(shares, runner_up), best, runner_up, highest)


def value_gaps(info: Information, table: Contingency, means: NDArray[np.float64]) -> Gaps:
    """Best latent for each value minus the best other one that is no sibling of it.

    Siblings are latents whose largest normalised information is with this same factor, and whose
    mean activation peaks at a different value of it than the best latent's does. So latents that
    share a factor's values among them do not compete, while duplicates do.

    Args:
        means: mean activation [d_sae, n_values_total] for each value; see `mean_activations`.
    """
    shares = normalised(info.values, value_entropies(table))
    best, highest = first_best(shares, 0), shares.max(0)
    of_factors = normalised(info.factors, factor_entropies(table))
    own_factor = first_best(np.nan_to_num(of_factors, nan=-1), 1)
    second, runner_up = np.empty_like(highest), np.empty_like(best)
    for factor, (first, last) in enumerate(
        zip(table.value_ptr[:-1], table.value_ptr[1:], strict=True)
    ):
        peaks = first_best(means[:, first:last], 1)
        is_sibling = peaks[:, None] != peaks[best[first:last]]
        is_sibling &= (own_factor == factor)[:, None]
        rivals = np.where(is_sibling, -1.0, shares[:, first:last])
        rivals[best[first:last], np.arange(last - first)] = -1
        runner_up[first:last] = first_best(rivals, 0)
        second[first:last] = _pick(rivals, runner_up[first:last])
    # where all others are siblings there is no rival
    runner_up = np.where(second < 0, best, runner_up)
    return Gaps(highest - np.maximum(second, 0), best, runner_up, highest)


class SupGaps(NamedTuple):
    """Gaps that MIG-sup is the mean of."""

    gaps: Float[NDArray[Any], " d_sae"]
    """A latent's best minus second best factor, each in units of its entropy."""
    by_factor: Float[NDArray[Any], " n_factors"]
    """Mean over the latents most informative about this factor; NaN where there are none."""


def sup_gaps(information: NDArray[np.float64], entropies: NDArray[np.float64]) -> SupGaps:
    """Gaps between the factors of each latent; at least two factors must have entropy."""
    shares = np.nan_to_num(normalised(information, entropies), nan=-1)
    best = first_best(shares, 1)
    ordered = np.partition(shares, -2, axis=1)
    gaps = ordered[:, -1] - ordered[:, -2]
    counts = np.bincount(best, minlength=len(entropies))
    sums = np.bincount(best, gaps, minlength=len(entropies))
    return SupGaps(gaps, np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))


def mean_activations(codes: Codes, factors: Factors) -> NDArray[np.float64]:
    """[d_sae, n_values_total] mean over the samples with each value, in units of `codes.scaled`.

    -inf for a value that does not occur.
    """
    return means_from_sums(codes.scaled.T @ factors.one_hot(np.float64), factors.value_counts)


def means_from_sums(
    sums: NDArray[np.float64], value_counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """`mean_activations` from sums over samples [d_sae, n_values_total]."""
    means = sums / np.maximum(value_counts, 1)
    means[:, value_counts == 0] = -np.inf
    return means


def mean_by_factor(
    values: NDArray[np.float64], value_ptr: NDArray[np.int64]
) -> NDArray[np.float64]:
    """[..., n_factors] mean over each factor's values that are not NaN; NaN where none is left."""
    defined = ~np.isnan(values)
    sums = np.add.reduceat(np.where(defined, values, 0), value_ptr[:-1], axis=-1)
    counts = np.add.reduceat(defined.astype(np.float64), value_ptr[:-1], axis=-1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _pick(shares: NDArray[np.float64], latents: NDArray[np.int64]) -> NDArray[np.float64]:
    return shares[latents, np.arange(shares.shape[1])]


def shares_of_values(
    codes: CodesLike, factors: FactorsLike, *, n_quantiles: int = 4
) -> Float[NDArray[Any], "d_sae n_values_total"]:
    """Information of each latent on each value, one against the rest, on the sparse bins.

    In units of the value's entropy, 0 to 1; NaN for a value that no sample or every one has.

    Raises:
        MetricInputError: malformed or mismatched input.
    """
    table = contingency(sparse_bins(codes, n_quantiles), Factors.of(factors))
    return normalised(value_information(table), value_entropies(table))
