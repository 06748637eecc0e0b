"""The votes of the classic FactorVAE metric, many batches at once, in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from scipy import sparse

from csae_bench.metrics.data import Factors
from csae_bench.metrics.eta_squared import Standardised
from csae_bench.metrics.products import product

_BLOCK_CELLS = 2**22
_TIE = 1e-9
"""Variances this near, in units of the whole variance, differ by rounding."""


def votes(
    units: Standardised,
    factors: Factors,
    fixable: NDArray[np.int64],
    n_votes: int,
    batch_size: int,
    rng: np.random.Generator,
) -> Int[NDArray[Any], "n_factors d_sae"]:
    """Count how often each latent varied least in a batch with each factor fixed.

    Args:
        fixable: the factors to draw from, all alike; those with more than one value.
        n_votes: number of batches, one vote each.
    """
    fixed = rng.choice(fixable, n_votes)
    samples = _batches(factors, fixed, batch_size, rng)
    winners = _least_varying(units, samples, rng)
    d_sae = units.by_latent.shape[0]
    counted = np.bincount(fixed * d_sae + winners, minlength=factors.n_factors * d_sae)
    return counted.reshape(factors.n_factors, d_sae)


def _batches(
    factors: Factors, fixed: NDArray[np.int64], batch_size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """[n_votes, batch_size] samples that share their value of the fixed factor."""
    samples = np.empty((len(fixed), batch_size), np.int64)
    for factor in np.unique(fixed):
        rows = np.flatnonzero(fixed == factor)
        column = factors.values[:, factor]
        by_value = np.argsort(column, kind="stable")
        counts = np.bincount(column)
        starts = np.cumsum(counts) - counts
        values = column[rng.integers(factors.n, size=len(rows))]
        drawn = rng.integers(counts[values][:, None], size=(len(rows), batch_size))
        samples[rows] = by_value[starts[values][:, None] + drawn]
    return samples


def _least_varying(
    units: Standardised, samples: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """[n_votes] the latent with the smallest relative variance in each batch, ties at random."""
    n_votes, batch_size = samples.shape
    d_sae, n = units.by_latent.shape
    indptr = np.arange(0, n_votes * batch_size + 1, batch_size)
    members = sparse.csr_array(
        (np.ones(n_votes * batch_size), samples.ravel(), indptr), shape=(n_votes, n)
    )
    width = max(1, _BLOCK_CELLS // max(n, n_votes))
    least, winners = np.full(n_votes, np.inf), np.zeros(n_votes, np.int64)
    n_tied = np.zeros(n_votes, np.int64)
    for first in range(0, d_sae, width):
        block = units.by_latent[first : first + width].toarray().T
        block -= block.mean(0)
        # one product for both sums: finding the members of a batch is most of its time
        squares, sums = np.hsplit(product(members, np.hstack([block**2, block])), 2)
        variances = squares - sums**2 / batch_size
        variances *= (n - 1) / (batch_size - 1)
        smallest = variances.min(1)
        is_lowest = variances <= smallest[:, None] + _TIE
        chosen, counts = _one_of(is_lowest, rng)
        is_new = smallest < least - _TIE
        is_tied = ~is_new & (smallest <= least + _TIE)
        n_tied = np.where(is_new, counts, n_tied + np.where(is_tied, counts, 0))
        # each of the lowest so far wins with the same probability
        is_tied &= rng.random(n_votes) * np.maximum(n_tied, 1) < counts
        winners = np.where(is_new | is_tied, first + chosen, winners)
        least = np.minimum(least, smallest)
    return winners


def _one_of(
    is_lowest: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each row the index of one True, all alike, and how many there are."""
    counts = is_lowest.sum(1)
    chosen = is_lowest.argmax(1)
    several = np.flatnonzero(counts > 1)
    drawn = rng.integers(counts[several])
    rank = np.cumsum(is_lowest[several], axis=1) - 1
    chosen[several] = ((rank == drawn[:, None]) & is_lowest[several]).argmax(1)
    return chosen, counts
