"""A factorial grid of natural sentences in four languages, for models of real text."""

from __future__ import annotations

from pathlib import Path

from csae_bench.factors.dataset import FactorDataset, FactorSplit
from csae_bench.factors.datasets.english.grid import sentence_grid
from csae_bench.factors.registry import register_factors


@register_factors("english")
def english(split: FactorSplit, seed: int) -> FactorDataset:
    """Sentences in English, French, German and Spanish: 8 factors, each combination twice."""
    return sentence_grid(split, seed=seed)


def code_files() -> list[Path]:
    """List the files that decide the sentences, for a fingerprint."""
    return sorted(Path(__file__).parent.glob("*.py"))
