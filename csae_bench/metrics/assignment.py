"""Factor value that a latent stands for, derived from its information on all values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from csae_bench.metrics.data import Codes
from csae_bench.metrics.families import Families
from csae_bench.metrics.gaps import means_from_sums

LEAD = 2.0
"""Required ratio of a latent's information on its value to that on any other value."""


class Assignment(NamedTuple):
    """The value that each latent would be assigned to, if it is informative enough."""

    value: Int[NDArray[Any], " d_sae"]
    """Among all values; -1 for none."""
    share: Float[NDArray[Any], " d_sae"]
    """The latent's information on it, 0 to 1; 0 for none."""


def rises(codes: Codes, one_hot: NDArray[np.int32]) -> Bool[NDArray[Any], "d_sae n_values_total"]:
    """Test whether a latent's mean is larger with a value than over all samples."""
    sums = codes.scaled.T @ one_hot.astype(np.float64)
    means = means_from_sums(sums, one_hot.sum(0, dtype=np.int64))
    return means > (np.asarray(codes.scaled.sum(0)).ravel() / codes.n)[:, None]


def assign(
    shares: Float[NDArray[Any], "d_sae n_values_total"],
    rising: Bool[NDArray[Any], "d_sae n_values_total"],
    families: Families,
) -> Assignment:
    """Find the value that a latent rises with and is most informative about, if by `LEAD` times.

    Its lead is over any value of another family, and any other of the same factor that it rises
    with.

    A latent may also carry information about a value it is lower for (in a two-valued factor it
    always does), but not `LEAD` times as much: a latent that is silent with a value stands for none
    of the others.

    Args:
        shares: information on each value, 0 to 1.
        rising: see `rises`.
    """
    rows = np.arange(len(shares))
    with_value = np.where(rising, shares, 0.0)
    best = with_value.argmax(1)
    highest = with_value[rows, best]
    is_kin = families.factor_of_value == families.factor_of_value[best][:, None]
    is_other = families.of_value != families.of_value[best][:, None]
    rivals = np.where(is_other, shares, np.where(is_kin, with_value, 0.0))
    rivals[rows, best] = 0
    falling = np.where(is_kin & ~rising, shares, 0.0)
    is_ahead = (highest > 0) & (highest >= LEAD * rivals.max(1)) & (LEAD * highest > falling.max(1))
    return Assignment(np.where(is_ahead, best, -1), np.where(is_ahead, highest, 0.0))
