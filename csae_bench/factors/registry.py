"""How a factor dataset is registered and found.

A dataset is one module or package of `csae_bench/factors/datasets/`, named as the dataset is:

    @register_factors("embedded")
    def embedded(split: Split, seed: int) -> FactorDataset: ...
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from csae_bench.errors import UnknownNameError
from csae_bench.factors import datasets
from csae_bench.factors.dataset import FactorDataset, Split
from csae_bench.registry import Registry

Make = Callable[[Split, int], FactorDataset]
"""Makes a dataset of a split and a seed; the same one each time."""


@dataclass(frozen=True, kw_only=True)
class FactorDatasetSpec:
    """A factor dataset as registered."""

    name: str
    make: Make
    summary: str
    """First line of its docstring."""
    has_prompts: bool = True
    """Whether a language model reads it; else it has activations."""


_REGISTRY: Registry[FactorDatasetSpec] = Registry("factor dataset")


def register_factors(name: str, *, has_prompts: bool = True) -> Callable[[Make], Make]:
    """Registers the decorated function as the factor dataset `name`."""

    def register(make: Make) -> Make:
        summary = (make.__doc__ or "").strip().split("\n", 1)[0]
        spec = FactorDatasetSpec(name=name, make=make, summary=summary, has_prompts=has_prompts)
        _REGISTRY.add(name, spec)
        return make

    return register


def factor_names() -> list[str]:
    """Names of all factor datasets, sorted, without importing them."""
    return sorted(module.name for module in pkgutil.iter_modules(datasets.__path__))


def get_factors(name: str) -> FactorDatasetSpec:
    """The factor dataset called `name`, its module imported.

    Raises:
        UnknownNameError: there is no such dataset; the message suggests the nearest.
    """
    if name not in _REGISTRY:
        if name not in factor_names():
            raise UnknownNameError("factor dataset", name, factor_names())
        importlib.import_module(f"{datasets.__name__}.{name}")
    return _REGISTRY.get(name)
