"""Settings that every eval on a factor dataset has."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from csae_bench.config.base import Count
from csae_bench.evals import EvalConfig, Preset
from csae_bench.evals.inputs import FactorInput, Needs
from csae_bench.factors import (
    FactorSplit,
    Pooling,
    chosen_factors,
    factor_names,
    needs_model,
)

QUICK = Preset(
    settings={"n_permutations": 50}, about="50 permutations for the nulls; samples as usual."
)
"""What evals on a factor dataset leave out under `--preset quick`."""


class FactorEvalConfig(EvalConfig):
    """Samples of an eval, and the precision of its nulls and intervals."""

    factors: str = "auto"
    """A name of `csae-bench list factors`, a .csv or .jsonl file with `text` and factor columns, or
    the folder of a synthetic model. `auto`: `tinyworld` for the bundled model, `english` for
    others, `synthetic` for an SAE without a model."""

    split: FactorSplit = "test"
    """Part of the dataset that is scored."""

    pooling: Pooling | None = None
    """How the codes of a prompt's tokens become one row: `mean`, `max`, `last` or `marked`; none:
    the dataset's own."""

    shuffled: bool = False
    """Control: each sample gets the factors of another, drawn at random. No SAE may score then."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of permutations, resamples and splits, and of a dataset that draws its samples."""

    n_permutations: Count = 200
    """Permutations of the samples' factors, for the nulls; the smallest p is 1 / (1 + this)."""

    n_resamples: Annotated[int, Field(ge=1000)] = 1000
    """Resamples of whole templates, for the 95% intervals."""

    def needs(self, model: str | None) -> Needs:
        """Return the factor dataset, and the model where the dataset has prompts."""
        dataset = chosen_factors(self.factors, self.model or model)
        return Needs(model=needs_model(dataset), inputs=(FactorInput(dataset),))

    def is_repeatable(self, model: str | None) -> bool:
        """Return whether the seed leaves the world as it is; it names that of `synthetic`."""
        dataset = chosen_factors(self.factors, self.model or model)
        return needs_model(dataset) or dataset not in factor_names()
