"""Information of latents on permuted factors: the nulls of monosemanticity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from csae_bench.metrics.assignment import assign, rises
from csae_bench.metrics.contingency import (
    Counter,
    count_with,
    value_entropies,
    value_information,
)
from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.families import Families
from csae_bench.metrics.gaps import normalised
from csae_bench.support.threads import mapped

QUANTILE = 0.95
"""Quantile of a null above which information counts as known."""


@dataclass(frozen=True, eq=False)
class Permuted:
    """Thresholds and statistics under permuted factors."""

    threshold: Float[NDArray[Any], " d_sae"]
    """The 95% quantile of a latent's largest share of all values."""
    value_threshold: Float[NDArray[Any], " n_values_total"]
    """The 95% quantile of a value's largest share of all latents."""
    assigned_value: Int[NDArray[Any], "n_permutations d_sae"]
    """The value that a latent would be assigned to; -1 for none."""
    family_means: Float[NDArray[Any], "d_sae n_families"]
    """Mean of a latent's largest share of each family's values."""
    largest: Largest


@dataclass(frozen=True, eq=False)
class Largest:
    """For each latent, the permutations in which it seems most informative; all that exceed its
    threshold are among them."""

    share: Float[NDArray[Any], "n_kept d_sae"]
    """Its largest share of all values; -1 where there were fewer permutations."""
    permutation: Int[NDArray[Any], "n_kept d_sae"]
    factor: Int[NDArray[Any], "n_kept d_sae"]
    """The factor that it seems most informative about."""
    families: Float[NDArray[Any], "n_kept d_sae n_families"]
    """Its largest share of each family's values."""

    @classmethod
    def empty(cls, n_permutations: int, d_sae: int, n_families: int) -> Largest:
        """Allocate room for those of `n_permutations`."""
        n = int((1 - QUANTILE) * n_permutations) + 1  # as many can be above the quantile, and one
        return cls(
            np.full((n, d_sae), -1.0),
            np.zeros((n, d_sae), np.int64),
            np.zeros((n, d_sae), np.int64),
            np.zeros((n, d_sae, n_families)),
        )

    def add(
        self,
        permutation: int,
        shares: Float[NDArray[Any], "d_sae n_values_total"],
        families: Families,
    ) -> None:
        """Replace the smallest shares by a permutation's, where these are larger."""
        smallest = self.share.argmin(0)
        best = shares.max(1)
        latents = np.flatnonzero(best > self.share[smallest, np.arange(len(best))])
        place = smallest[latents], latents
        self.share[place] = best[latents]
        self.permutation[place] = permutation
        self.factor[place] = families.factor_of_value[shares[latents].argmax(1)]
        self.families[place] = families.largest(shares[latents])


def permuted(
    codes: Codes,
    factors: Factors,
    counter: Counter,
    families: Families,
    orders: Iterable[NDArray[np.int64]],
) -> Permuted:
    """Measure the latents' information on permuted factors, for at least one permutation."""
    orders = list(orders)
    plain = count_with(counter, factors)
    entropies = value_entropies(plain)
    best, led_by, largest = [], [], []
    family_means = np.zeros((codes.d_sae, families.n_families))
    kept = Largest.empty(len(orders), codes.d_sae, families.n_families)

    def measured(order: NDArray[np.int64]) -> tuple[NDArray[np.float64], Any]:
        one_hot = factors.one_hot()[order]
        table = replace(plain, counts=counter.count(one_hot))
        shares = np.nan_to_num(normalised(value_information(table), entropies))
        return shares, assign(shares, rises(codes, one_hot), families)

    for number, (shares, assigned) in enumerate(mapped(measured, orders)):
        best.append(shares.max(1))
        led_by.append(assigned)
        largest.append(shares.max(0))
        family_means += families.largest(shares) / len(orders)
        kept.add(number, shares, families)
    threshold = np.quantile(best, QUANTILE, axis=0)
    return Permuted(
        threshold,
        np.quantile(largest, QUANTILE, axis=0),
        np.stack(
            [np.where(codes.varies & (one.share > threshold), one.value, -1) for one in led_by]
        ),
        family_means,
        kept,
    )
