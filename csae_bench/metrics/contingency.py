"""Counts of bins by factor values, and the information in them.

Only the non-zeros are counted; the zero bin is what they leave of each value's samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy import sparse

from csae_bench.metrics.data import Factors, MetricInputError
from csae_bench.metrics.discretise import Binned
from csae_bench.metrics.products import product

MAX_CELLS = 2**28
"""Largest table counted at once: 1 GiB of int32."""
_BLOCK_CELLS = 2**18


class Information(NamedTuple):
    """Mutual information of each latent with each factor and with each value, in nats."""

    factors: Float[NDArray[Any], "d_sae n_factors"]
    values: Float[NDArray[Any], "d_sae n_values_total"]
    """With the indicator of the value: one against the rest."""


@dataclass(frozen=True, eq=False)
class Contingency:
    """Counts of each bin of each latent by each value of each factor."""

    counts: Int[NDArray[Any], "n_rows n_values_total"]
    """Latent j's bins are rows row_ptr[j] to row_ptr[j + 1] - 1, columns as in `value_ptr`."""
    row_ptr: Int[NDArray[Any], " d_sae_plus_1"]
    value_ptr: Int[NDArray[Any], " n_factors_plus_1"]
    value_counts: Int[NDArray[Any], " n_values_total"]

    @property
    def n(self) -> int:
        """Number of samples, or the sum of their weights."""
        return int(self.value_counts[: self.value_ptr[1]].sum())

    @cached_property
    def information(self) -> Information:
        """Information of each latent on factors and values, computed once."""
        return _information(self, with_values=True)

    @cached_property
    def factor_information(self) -> Float[NDArray[Any], "d_sae n_factors"]:
        """Information of each latent on factors alone, which takes half of the time."""
        if "information" in self.__dict__:
            return self.information.factors
        return _information(self, with_values=False).factors


class Counter:
    """Counts the same bins against many tables of factors: permuted, or with weighted samples."""

    def __init__(self, binned: Binned) -> None:
        self.n = binned.n
        self.row_ptr = np.concatenate([[0], np.cumsum(binned.n_bins)])
        self.zero_rows = self.row_ptr[:-1] + binned.zero_bin
        per_latent = np.diff(binned.indptr)
        rows = np.repeat(self.row_ptr[:-1], per_latent) + binned.bins
        shape = (int(self.row_ptr[-1]), binned.n)
        ones = np.ones(len(rows), np.int32)
        self._add_up = _sum_over_bins(self.row_ptr).astype(np.int32)
        self._members: Any = sparse.csr_array((ones, (rows, binned.indices)), shape=shape)

    def count(self, one_hot: NDArray[np.int32]) -> NDArray[np.int32]:
        """int32 [n_rows, n_values_total] for a one-hot table [n, n_values_total].

        Rows of the table may be weighted by whole numbers.
        """
        if self._members.shape[0] * one_hot.shape[1] > MAX_CELLS:
            raise MetricInputError(
                f"{len(self.zero_rows)} latents in {self._members.shape[0]} bins against "
                f"{one_hot.shape[1]} factor values need a table of more than {MAX_CELLS} cells; "
                "a factor with so many values is no category: group its values."
            )
        counts = product(self._members, one_hot)
        counts[self.zero_rows] += one_hot.sum(0, dtype=np.int32) - self._add_up @ counts
        return counts


_COUNTERS: WeakKeyDictionary[Binned, Counter] = WeakKeyDictionary()
_TABLES: WeakKeyDictionary[Binned, WeakKeyDictionary[Factors, Contingency]] = WeakKeyDictionary()
"""Counts made so far, kept as long as the bins and the factors are referenced elsewhere."""


def counter_of(binned: Binned) -> Counter:
    """Return the counter of these bins, prepared once."""
    if binned not in _COUNTERS:
        _COUNTERS[binned] = Counter(binned)
    return _COUNTERS[binned]


def contingency(binned: Binned, factors: Factors) -> Contingency:
    """Return the counts of every bin of every latent by every value of every factor.

    The same bins and factors, by identity, are counted once: metrics share their tables.

    Raises:
        MetricInputError: codes and factors of different length, or a table of over 1 GiB.
    """
    tables = _TABLES.setdefault(binned, WeakKeyDictionary())
    if factors not in tables:
        tables[factors] = count_with(counter_of(binned), factors)
    return tables[factors]


def count_with(counter: Counter, factors: Factors) -> Contingency:
    """Return `contingency` of any factors, with a counter that is used again; nothing is kept."""
    if counter.n != factors.n:
        raise MetricInputError(
            f"there are codes of {counter.n} samples and factors of {factors.n}; give both for "
            "the same samples, in the same order."
        )
    return Contingency(
        counts=counter.count(factors.one_hot()),
        row_ptr=counter.row_ptr,
        value_ptr=factors.value_ptr,
        value_counts=factors.value_counts,
    )


def mutual_information(table: Contingency) -> Float[NDArray[Any], "d_sae n_factors"]:
    """I(bin of the latent; factor) in nats: 0 to the factor's entropy. Plug-in, not corrected."""
    return table.factor_information


def value_information(table: Contingency) -> Float[NDArray[Any], "d_sae n_values_total"]:
    """I(bin of the latent; whether the factor has this value) in nats, 0 to ln 2."""
    return table.information.values


def information(table: Contingency) -> Information:
    """`mutual_information` and `value_information` in one pass over the table."""
    return table.information


def factor_entropies(table: Contingency) -> Float[NDArray[Any], " n_factors"]:
    """Entropy of each factor in nats; exactly 0 for a factor of one value."""
    n = table.n
    sums = np.add.reduceat(_n_log_n(table.value_counts), table.value_ptr[:-1])
    most = np.maximum.reduceat(table.value_counts, table.value_ptr[:-1])
    return np.where(most == n, 0.0, np.log(n) - sums / n)


def value_entropies(table: Contingency) -> Float[NDArray[Any], " n_values_total"]:
    """Entropy of each value's indicator in nats; exactly 0 where it never or always holds."""
    n, counts = table.n, table.value_counts
    sums = _n_log_n(counts) + _n_log_n(n - counts)
    return np.where((counts == 0) | (counts == n), 0.0, np.log(n) - sums / n)


def _information(table: Contingency, *, with_values: bool) -> Information:
    n, value_ptr = table.n, table.value_ptr
    n_log_n = _n_log_n(np.arange(n + 1))
    d_sae = len(table.row_ptr) - 1
    factors = np.empty((d_sae, len(value_ptr) - 1))
    values = np.empty((d_sae, len(table.value_counts) if with_values else 0))
    of_values = n_log_n[table.value_counts]
    of_indicators = of_values + n_log_n[n - table.value_counts]
    of_factors = np.add.reduceat(of_values, value_ptr[:-1])
    for first, last in _blocks(table.row_ptr, table.counts.shape[1]):
        rows = slice(table.row_ptr[first], table.row_ptr[last])
        add_up = _sum_over_bins(table.row_ptr[first : last + 1])
        counts = table.counts[rows].astype(np.intp)  # numpy looks up by other integers far slower
        totals = counts[:, : value_ptr[1]].sum(1)
        of_bins = (add_up @ n_log_n[totals])[:, None]
        joint = add_up @ np.take(n_log_n, counts)
        summed = np.add.reduceat(joint, value_ptr[:-1], axis=1)
        factors[first:last] = np.log(n) + (summed - of_bins - of_factors) / n
        if with_values:
            joint += add_up @ np.take(n_log_n, totals[:, None] - counts)
            values[first:last] = np.log(n) + (joint - of_bins - of_indicators) / n
    # sums of logarithms leave a rounding of some 1e-15 where there is no information
    return Information(_without_rounding(factors), _without_rounding(values))


def _sum_over_bins(row_ptr: NDArray[np.int64]) -> Any:
    """[n_latents, n_rows] that adds up each latent's rows; several times faster than reduceat."""
    indptr = row_ptr - row_ptr[0]
    n_rows = int(indptr[-1])
    return sparse.csr_array(
        (np.ones(n_rows), np.arange(n_rows), indptr), shape=(len(row_ptr) - 1, n_rows)
    )


def _without_rounding(information: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(information < 1e-13, 0.0, information)


def _n_log_n(counts: NDArray[Any]) -> NDArray[np.float64]:
    return np.multiply(counts, np.log(np.maximum(counts, 1)), dtype=np.float64)


def _blocks(row_ptr: NDArray[np.int64], n_columns: int) -> Iterator[tuple[int, int]]:
    """Ranges of latents of about `_BLOCK_CELLS` cells each, so that temporaries stay small."""
    d_sae = len(row_ptr) - 1
    n_rows = max(1, _BLOCK_CELLS // n_columns)
    first = 0
    while first < d_sae:
        last = int(np.searchsorted(row_ptr, row_ptr[first] + n_rows, side="right")) - 1
        last = min(max(last, first + 1), d_sae)
        yield first, last
        first = last
