"""Families of factors: those that are a parent or a child of one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from csae_bench.metrics.data import Factors


@dataclass(frozen=True, eq=False)
class Families:
    """Family of each factor and of each value; families are numbered from 0."""

    of_factor: Int[NDArray[Any], " n_factors"]
    of_value: Int[NDArray[Any], " n_values_total"]
    factor_of_value: Int[NDArray[Any], " n_values_total"]
    n_families: int

    @classmethod
    def of(cls, factors: Factors, parents: Mapping[str, str]) -> Families:
        """Group factors into families: those linked by any chain of parents and children.

        Args:
            parents: child factor -> parent factor.
        """
        family = {name: name for name in factors.names}
        for child, parent in parents.items():
            old, new = family[child], family[parent]
            family = {name: new if root == old else root for name, root in family.items()}
        roots = list(dict.fromkeys(family.values()))
        of_factor = np.array([roots.index(family[name]) for name in factors.names])
        factor_of_value = np.repeat(np.arange(factors.n_factors), factors.n_values)
        return cls(of_factor, of_factor[factor_of_value], factor_of_value, len(roots))

    def largest(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """[d_sae, n_families] the largest of [d_sae, n_values_total] among each family's values."""
        return np.stack(
            [shares[:, self.of_value == k].max(1) for k in range(self.n_families)], axis=1
        )
