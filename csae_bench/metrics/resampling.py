"""Information scores on many permuted or weighted samples, with bins made once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from csae_bench.metrics.contingency import (
    Contingency,
    contingency,
    counter_of,
    factor_entropies,
    information,
    mutual_information,
)
from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.discretise import equal_width_bins, sparse_bins
from csae_bench.metrics.gaps import (
    factor_gaps,
    mean_by_factor,
    means_from_sums,
    sup_gaps,
    value_gaps,
)
from csae_bench.metrics.products import product

SCORES = ("maximum", "mig", "value_mig", "mig_sup")


class Tables(NamedTuple):
    """Counts and sums behind the scores; those of all samples are the sum over their clusters."""

    sparse: NDArray[np.int32]
    """Counts of the sparse bins, as in `Contingency`."""
    equal_width: NDArray[np.int32]
    sums: NDArray[np.float64]
    """Sums of the codes [d_sae, n_values_total], in units of `codes.scaled`."""
    value_counts: NDArray[np.int64]


class Resampled:
    """Codes in bins of both kinds, ready to be counted against any table of their factors.

    Args:
        sup_latents: mask [d_sae] of the latents that `mig_sup` is the mean over; those that vary
            by default.
    """

    def __init__(
        self,
        codes: Codes,
        factors: Factors,
        *,
        n_quantiles: int,
        n_bins: int,
        sup_latents: NDArray[np.bool_] | None = None,
    ) -> None:
        self.value_ptr = factors.value_ptr
        self._factors = factors
        self._bins = sparse_bins(codes, n_quantiles), equal_width_bins(codes, n_bins)
        self._sparse, self._equal_width = (counter_of(bins) for bins in self._bins)
        self._by_latent: Any = codes.scaled.T
        alive = codes.varies
        self._sup_latents = alive if sup_latents is None else alive & sup_latents
        self._any_varies = bool(alive.any())

    @property
    def n_rows(self) -> int:
        """Bins of either kind, and latents: the rows of all tables."""
        latents = len(self._sparse.row_ptr) - 1
        return int(self._sparse.row_ptr[-1] + self._equal_width.row_ptr[-1]) + latents

    def tables(self, one_hot: NDArray[np.int32]) -> Tables:
        """Count and sum for a table of factors.

        Args:
            one_hot: [n, n_values_total], permuted, or its rows times whole weights.
        """
        return Tables(
            sparse=self._sparse.count(one_hot),
            equal_width=self._equal_width.count(one_hot),
            sums=product(self._by_latent, one_hot.astype(np.float64)),
            value_counts=one_hot.sum(0, dtype=np.int64),
        )

    def observed(self) -> dict[str, NDArray[np.float64]]:
        """Return the statistics of the factors as they are, from tables that metrics share."""
        if not self._any_varies:
            return self._nothing()
        table, classic = (contingency(bins, self._factors) for bins in self._bins)
        sums = product(self._by_latent, self._factors.one_hot(np.float64))
        return self._of(table, classic, sums)

    def statistics(self, tables: Tables) -> dict[str, NDArray[np.float64]]:
        """Name -> [n_factors + 1], each factor's value and then the score; NaN where undefined."""
        if not self._any_varies:
            return self._nothing()
        counts = tables.value_counts
        table = Contingency(tables.sparse, self._sparse.row_ptr, self.value_ptr, counts)
        classic = Contingency(tables.equal_width, self._equal_width.row_ptr, self.value_ptr, counts)
        return self._of(table, classic, tables.sums)

    def _nothing(self) -> dict[str, NDArray[np.float64]]:
        return {name: np.full(len(self.value_ptr), np.nan) for name in SCORES}

    def _of(
        self, table: Contingency, classic: Contingency, sums: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        info = information(table)
        entropies = factor_entropies(table)
        by_value = value_gaps(info, table, means_from_sums(sums, table.value_counts))
        return {
            "maximum": _with_mean(factor_gaps(info.factors, entropies).highest),
            "mig": _with_mean(self._mig(classic)),
            "value_mig": _with_mean(mean_by_factor(by_value.gaps, self.value_ptr)),
            "mig_sup": self._mig_sup(info.factors, entropies),
        }

    def _mig(self, table: Contingency) -> NDArray[np.float64]:
        if len(table.row_ptr) == 2:  # one latent has no runner-up
            return np.full(len(self.value_ptr) - 1, np.nan)
        return factor_gaps(mutual_information(table), factor_entropies(table)).gaps

    def _mig_sup(
        self, mutual_information: NDArray[np.float64], entropies: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        n_factors = len(entropies)
        if np.count_nonzero(entropies) < 2 or not self._sup_latents.any():
            return np.full(n_factors + 1, np.nan)
        sup = sup_gaps(mutual_information[self._sup_latents], entropies)
        return np.append(sup.by_factor, sup.gaps.mean())


def _with_mean(by_factor: NDArray[np.float64]) -> NDArray[np.float64]:
    defined = by_factor[~np.isnan(by_factor)]
    return np.append(by_factor, defined.mean() if len(defined) else np.nan)
