"""Bins of codes, stored like the codes: only what is not zero, the zero bin implicit.

Information is invariant to how bins are numbered, so empty bins are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from csae_bench.metrics.data import Codes, MetricInputError
from csae_bench.metrics.inputs import CodesLike

MAX_VALUES = 32
"""A latent with at most this many distinct non-zero values has one bin for each."""
MIN_REPEATS = 2
"""It must take each of them this often on average, or it is a continuous latent that is rare."""


@dataclass(frozen=True, eq=False)
class Binned:
    """The bin of every code: of the non-zeros in CSC order, of all zeros one bin a latent."""

    indptr: Int[NDArray[Any], " d_sae_plus_1"]
    """Offsets: latent j's non-zeros are indptr[j] to indptr[j + 1] - 1."""
    indices: Int[NDArray[Any], " nnz"]
    """The sample of each non-zero."""
    bins: Int[NDArray[Any], " nnz"]
    """The bin of each non-zero, 0 to n_bins - 1 of its latent."""
    zero_bin: Int[NDArray[Any], " d_sae"]
    """The bin that zeros of this latent are in; non-zeros may be in it as well."""
    n_bins: Int[NDArray[Any], " d_sae"]
    """Number of bins of each latent, at least 1."""
    n: int
    """Number of samples."""

    @property
    def d_sae(self) -> int:
        """Number of latents."""
        return len(self.n_bins)

    def latents(self, index: NDArray[np.int64]) -> Binned:
        """Select latents by index."""
        counts = np.diff(self.indptr)[index]
        indptr = np.concatenate([[0], np.cumsum(counts)])
        entries = np.repeat(self.indptr[:-1][index] - indptr[:-1], counts) + np.arange(indptr[-1])
        return Binned(
            indptr=indptr,
            indices=self.indices[entries],
            bins=self.bins[entries],
            zero_bin=self.zero_bin[index],
            n_bins=self.n_bins[index],
            n=self.n,
        )


def sparse_bins(codes: CodesLike, n_quantiles: int = 4, max_values: int = MAX_VALUES) -> Binned:
    """Bin codes: a zero bin, and quantile bins of each latent's non-zeros; equal codes share one.

    A latent with at most `max_values` distinct non-zero values has one bin for each of them
    instead, so that a scalar code loses nothing; but not one whose firings nearly all differ. With
    a bin for each of a rare latent's firings its information is that of a list of samples: next
    to 2000 latents at 2%, an oracle SAE on 2000 samples would lose .02 of value MIG. Invariant to
    any strictly increasing map of a latent's non-zeros.

    Args:
        codes: [n, d_sae], anything that `Codes.of` takes.
        n_quantiles: bins of the non-zeros, with equally many samples each; 1 asks only whether
            the latent fires.

    Raises:
        MetricInputError: malformed codes, or fewer than one quantile.
    """
    codes = Codes.of(codes)
    if n_quantiles < 1:
        raise MetricInputError(f"n_quantiles is {n_quantiles}; it must be at least 1.")
    return codes.once(
        ("sparse_bins", n_quantiles, max_values), lambda: _sparse(codes, n_quantiles, max_values)
    )


def equal_width_bins(codes: CodesLike, n_bins: int = 20) -> Binned:
    """Bins of equal width between each latent's smallest and largest code, zeros included.

    disentanglement_lib's `_histogram_discretize`: bin b holds edge_b <= z < edge_b+1, the last
    one its upper end too; edges are those of `numpy.histogram`.

    Args:
        codes: [n, d_sae], anything that `Codes.of` takes.

    Raises:
        MetricInputError: malformed codes, or fewer than one bin.
    """
    codes = Codes.of(codes)
    if n_bins < 1:
        raise MetricInputError(f"n_bins is {n_bins}; it must be at least 1.")
    return codes.once(("equal_width_bins", n_bins), lambda: _of_equal_width(codes, n_bins))


def _sparse(codes: Codes, n_quantiles: int, max_values: int) -> Binned:
    csc = codes.csc
    latents = np.repeat(np.arange(codes.d_sae), np.diff(csc.indptr))
    order = _by_latent_and_value(latents, csc.data)
    values, latents = csc.data[order], latents[order]
    is_first = np.ones(len(values), np.bool_)
    is_first[1:] = (values[1:] != values[:-1]) | (latents[1:] != latents[:-1])
    first = np.maximum.accumulate(np.where(is_first, np.arange(len(values)), 0))
    distinct = np.cumsum(is_first) - 1
    n_distinct = np.bincount(latents[is_first], minlength=codes.d_sae)
    distinct -= (np.cumsum(n_distinct) - n_distinct)[latents]
    n_firings = np.diff(csc.indptr)
    # how many of the latent's non-zeros are smaller, as a share in Q steps
    n_smaller = (first - csc.indptr[latents]).astype(np.int64)
    quantile = n_smaller * n_quantiles // n_firings[latents]
    has_few = (n_distinct <= max_values) & (n_firings >= MIN_REPEATS * n_distinct)
    bins = np.empty(len(values), np.int64)
    bins[order] = 1 + np.where(has_few[latents], distinct, quantile)
    n_bins = 1 + np.where(has_few, n_distinct, n_quantiles)
    return _without_empty(codes, bins, np.zeros(codes.d_sae, np.int64), n_bins)


def _by_latent_and_value(
    latents: NDArray[np.int64], values: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Sort as lexsort does, equal codes in any order, in a third of its time."""
    rank = np.empty(len(values), np.int64)
    rank[np.argsort(values)] = np.arange(len(values))
    return np.argsort(latents * len(values) + rank)


def _of_equal_width(codes: Codes, n_bins: int) -> Binned:
    scaled = codes.scaled
    low, high = (np.ldexp(each, -codes.exponents) for each in codes.extremes)
    step = (high - low) / n_bins
    latents = np.repeat(np.arange(codes.d_sae), np.diff(scaled.indptr))
    bins = _equal_width(scaled.data, low[latents], step[latents], n_bins)
    zero_bin = _equal_width(np.zeros(codes.d_sae), low, step, n_bins)
    return _without_empty(codes, bins, zero_bin, np.full(codes.d_sae, n_bins))


def _equal_width(
    values: NDArray[np.float64],
    low: NDArray[np.float64],
    step: NDArray[np.float64],
    n_bins: int,
) -> NDArray[np.int64]:
    # a latent of one value has step 0 and one bin
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        guess = np.nan_to_num((values - low) / step, nan=0.0, posinf=n_bins, neginf=0.0)
    bins = np.clip(guess, 0, n_bins - 1).astype(np.int64)
    # the division rounds: the edges decide, as they do in numpy.digitize
    bins -= (bins > 0) & (values < bins * step + low)
    bins += (bins < n_bins - 1) & (values >= (bins + 1) * step + low) & (step > 0)
    return bins


def _without_empty(
    codes: Codes,
    bins: NDArray[np.int64],
    zero_bin: NDArray[np.int64],
    n_bins: NDArray[np.int64],
) -> Binned:
    indptr = codes.csc.indptr.astype(np.int64)
    counts = np.diff(indptr)
    offsets = np.cumsum(n_bins) - n_bins
    entries = bins + np.repeat(offsets, counts)
    used = np.zeros(int(n_bins.sum()), np.bool_)
    used[entries] = True
    used[(offsets + zero_bin)[counts < codes.n]] = True
    number = np.cumsum(used) - 1
    before = np.concatenate([[0], np.cumsum(used)])
    starts = before[offsets]
    renumbered = number[entries] - np.repeat(starts, counts)
    # without a zero the zero bin holds nothing, and any number will do
    zeros = np.where(counts < codes.n, number[offsets + zero_bin] - starts, 0)
    return Binned(
        indptr=indptr,
        indices=codes.csc.indices.astype(np.int64),
        bins=renumbered,
        zero_bin=zeros,
        n_bins=before[offsets + n_bins] - starts,
        n=codes.n,
    )
