"""Types of input that metrics accept: arrays of any library, and labels in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.errors import MetricInputError


@runtime_checkable
class SupportsArray(Protocol):
    """Any object that numpy can convert to an array: its own, torch's, pandas'."""

    def __array__(self) -> Any: ...


@runtime_checkable
class SupportsCsc(Protocol):
    """A sparse array or matrix of scipy."""

    def tocsc(self) -> Any: ...


CodesLike: TypeAlias = Codes | SupportsArray | SupportsCsc | Sequence[Any]
"""Codes [n, d_sae], dense or sparse; see `Codes.of`."""

LabelsLike: TypeAlias = SupportsArray | Sequence[Any]
"""One label a sample, [n], of any kind."""

FactorsLike: TypeAlias = Factors | SupportsArray | Mapping[str, LabelsLike] | Sequence[Any]
"""Labels [n, n_factors] or [n], or factor -> labels [n]; see `Factors.of`."""


def same_samples(codes: CodesLike, factors: FactorsLike) -> tuple[Codes, Factors]:
    """Return codes and factors as metrics take them.

    Raises:
        MetricInputError: one is malformed, or they differ in their number of samples.
    """
    codes, factors = Codes.of(codes), Factors.of(factors)
    if codes.n != factors.n:
        raise MetricInputError(
            f"there are codes of {codes.n} samples and factors of {factors.n}; give both for the "
            "same samples, in the same order."
        )
    return codes, factors
