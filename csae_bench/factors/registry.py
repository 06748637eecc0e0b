"""Registry of factor datasets.

A dataset is one module or package of `csae_bench/factors/datasets/`, named as the dataset is:

    @register_factors("tinyworld")
    def tinyworld(split: FactorSplit, seed: int) -> FactorDataset: ...

Third parties add theirs through the entry-point group `csae_bench.factors`. Such a module imports
torch and its like inside functions: listing datasets imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from csae_bench.factors import datasets
from csae_bench.factors.dataset import FactorDataset, FactorSplit
from csae_bench.plugins import Plugins
from csae_bench.registry import Registry

ENTRY_POINT_GROUP = "csae_bench.factors"

Make = Callable[[FactorSplit, int], FactorDataset]
"""Function that makes a dataset of a split and a seed; the same one each time."""


@dataclass(frozen=True, kw_only=True)
class FactorDatasetSpec:
    """A factor dataset as registered."""

    name: str
    make: Make
    summary: str
    """First line of its docstring."""
    has_prompts: bool = True
    """True if a language model reads it; else it has activations."""


_REGISTRY: Registry[FactorDatasetSpec] = Registry("factor dataset")
_MODULES = Plugins(
    "factor dataset",
    package=datasets.__name__,
    folders=datasets.__path__,
    group=ENTRY_POINT_GROUP,
)


def register_factors(name: str, *, has_prompts: bool = True) -> Callable[[Make], Make]:
    """Register the decorated function as the factor dataset `name`."""

    def register(make: Make) -> Make:
        summary = (make.__doc__ or "").strip().split("\n", 1)[0]
        spec = FactorDatasetSpec(name=name, make=make, summary=summary, has_prompts=has_prompts)
        _REGISTRY.add(name, spec)
        return make

    return register


def factor_names() -> list[str]:
    """Return the names of all factor datasets, sorted, without importing them."""
    return _MODULES.names()


def get_factors(name: str) -> FactorDatasetSpec:
    """Return the factor dataset called `name`, importing its module.

    Raises:
        UnknownNameError: there is no such dataset; the message suggests the nearest.
        PluginError: the dataset is of an installed package that cannot be imported.
    """
    _MODULES.load(name, _REGISTRY)
    return _REGISTRY.get(name)


def code_of(name: str) -> tuple[str, list[Path]]:
    """Return version and Python files of the package that provides a dataset; none for ours."""
    return _MODULES.code_of(name)
