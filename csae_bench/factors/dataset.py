"""FactorDataset: inputs whose ground-truth factors are known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int64
from numpy.typing import NDArray

from csae_bench.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from csae_bench.metrics.data import Factors

Pooling = Literal["mean", "max", "last", "marked"]
"""How the codes of a prompt's tokens become one row: their mean or maximum over the tokens, the
codes of the last token, or those of the token at the prompt's mark. Special tokens never count."""

FactorSplit = Literal["train", "test"]
"""`train`: samples for making or choosing something. `test`: samples for scoring, with other
templates and further words."""

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
ONE_TOKEN: tuple[Pooling, ...] = ("last", "marked")
"""Those that read one token of a prompt."""
POOLING_IN_WORDS: dict[str, str] = {
    "mean": "mean codes of all tokens",
    "max": "largest codes of all tokens",
    "last": "codes at the last token",
    "marked": "codes at the marked token",
}
"""What is scored, for titles."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrueFeatures:
    """The features that a synthetic world's activations are made of."""

    values: Float[NDArray[Any], "n n_features"]
    """Activation of each feature in each sample; 0 where it is silent."""
    directions: Float[NDArray[Any], "n_features d_in"]
    """Contribution of each feature to the activations at value 1."""
    bias: Float[NDArray[Any], " d_in"]
    """Vector that all activations have in common."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Readout:
    """Words by which a language model says a factor's value: one must come next after a stem."""

    stems: tuple[str, ...]
    """For each prompt what follows it, up to just before the word: the model reads the prompt, a
    space and the stem."""
    words: tuple[tuple[str, ...], ...]
    """For each prompt the word of each value of the factor, with its leading space; one token
    each. That of the prompt's own value is the right one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FactorDataset:
    """Prompts, or activations of a synthetic world, and the value of every factor in each.

    Raises:
        DataError: lengths differ, a value is out of its factor's range, names recur, or there are
            both prompts and activations, or neither.
    """

    name: str
    factors: Int64[NDArray[Any], "n n_factors"]
    """Indices into `value_names`, one column a factor."""
    names: tuple[str, ...]
    """Factor names, in the order of the columns of `factors`."""
    value_names: tuple[tuple[str, ...], ...]
    """Names of each factor's values."""
    templates: tuple[str, ...]
    """Template of each sample: the cluster of a bootstrap."""
    split: FactorSplit | Literal["all"]
    """`all`: the data does not distinguish."""
    prompts: tuple[str, ...] = ()
    """Texts for a language model; empty where there are `acts`."""
    acts: Float[NDArray[Any], "n d_in"] | None = None
    """Activations to be encoded as they are; none where there are `prompts`."""
    features: TrueFeatures | None = None
    """The true features behind `acts`, where they are known."""
    pooling: Pooling = "mean"
    """How the codes of a prompt's tokens become one row."""
    marks: tuple[int, ...] | None = None
    """For each prompt the index of a character; the token that holds it is the marked one."""
    parents: Mapping[str, str] = field(default_factory=dict[str, str])
    """Child factor -> parent factor. Each value of the child has one of the parent; of features,
    whose value 0 is silence, a child is not silent where its parent is."""
    readouts: Mapping[str, Readout] = field(default_factory=dict[str, Readout])
    """Factor -> where the model says it, for those that have such words."""

    def __post_init__(self) -> None:
        problem = (
            self._problem_of_inputs()
            or self._problem_of_table()
            or self._problem_of_parents()
            or self._problem_of_readouts()
        )
        if problem:
            raise DataError(f"factor dataset '{self.name}': {problem}")

    @property
    def n(self) -> int:
        """Samples."""
        return len(self.factors)

    @property
    def n_factors(self) -> int:
        """Columns of the factor table."""
        return len(self.names)

    @cached_property
    def table(self) -> Factors:
        """The factor table as metrics take it."""
        from csae_bench.metrics.data import Factors

        return Factors(self.factors, self.names, self.value_names)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the samples and their factors, 16 hex digits; equal ones give comparable scores.

        Activations are left out: their last bits differ between machines.
        """
        texts = (self.names, self.value_names, self.templates, self.prompts, self.marks)
        digest = hashlib.sha256(json.dumps(texts).encode())
        digest.update(np.ascontiguousarray(self.factors, dtype="<i8").tobytes())
        return digest.hexdigest()[:16]

    def column(self, factor: str) -> Int64[NDArray[Any], " n"]:
        """Return the values of one factor.

        Raises:
            DataError: there is no such factor.
        """
        if factor not in self.names:
            raise DataError(
                f"factor dataset '{self.name}': there is no factor '{factor}'."
                f"{did_you_mean(factor, self.names)} Available: {', '.join(self.names)}."
            )
        return self.factors[:, self.names.index(factor)]

    def has_value(self, factor: str, value: str) -> Bool[NDArray[Any], " n"]:
        """Mask where `factor` has the value of this name.

        Raises:
            DataError: there is no such factor, or it has no such value.
        """
        column = self.column(factor)
        values = self.value_names[self.names.index(factor)]
        if value not in values:
            raise DataError(
                f"factor dataset '{self.name}': '{factor}' has no value '{value}'."
                f"{did_you_mean(value, values)} Available: {', '.join(values)}."
            )
        return column == values.index(value)

    def shuffled(self, seed: int = 0) -> FactorDataset:
        """Make a control: the same inputs, each with another sample's factors and true features.

        The table keeps its rows, so factors are related to each other as before, and to nothing
        else.
        """
        order = np.random.default_rng(seed).permutation(self.n)
        features = self.features and replace(self.features, values=self.features.values[order])
        return replace(self, factors=self.factors[order], features=features)

    def _problem_of_inputs(self) -> str | None:
        if bool(self.prompts) == (self.acts is not None):
            return "it must have either prompts or activations."
        n = len(self.prompts) if self.acts is None else len(self.acts)
        if not n:
            return "it has no samples; it must have at least one."
        lengths = {"factors": len(self.factors), "templates": len(self.templates)}
        if self.marks is not None:
            lengths["marks"] = len(self.marks)
        if self.features is not None:
            lengths["features"] = len(self.features.values)
        for what, length in lengths.items():
            if length != n:
                return f"{what} has {length} rows for {n} samples; they must be as many."
        return self._problem_of_pooling()

    def _problem_of_pooling(self) -> str | None:
        if self.pooling not in POOLINGS:
            return f"pooling is '{self.pooling}'; it must be one of {', '.join(POOLINGS)}."
        if self.pooling == "marked" and self.marks is None:
            return "pooling is 'marked', and no prompt has a mark."
        for number, (prompt, mark) in enumerate(zip(self.prompts, self.marks or (), strict=False)):
            if not 0 <= mark < len(prompt):
                return f"the mark of prompt {number} is {mark}; it must be 0 to {len(prompt) - 1}."
        return None

    def _problem_of_table(self) -> str | None:
        if self.factors.ndim != 2 or self.factors.shape[1] != len(self.names):
            return f"factors has shape {list(self.factors.shape)} for {len(self.names)} names."
        if len(self.value_names) != len(self.names):
            return f"value_names has {len(self.value_names)} entries for {len(self.names)} factors."
        if not self.names:
            return "it has no factors; it must have at least one."
        if len(set(self.names)) < len(self.names):
            return f"two factors have one name: {', '.join(self.names)}."
        for name, values, column in zip(self.names, self.value_names, self.factors.T, strict=True):
            if len(set(values)) < len(values):
                return f"two values of '{name}' have one name: {', '.join(values)}."
            for value in (int(column.min()), int(column.max())):
                if not 0 <= value < len(values):
                    return f"'{name}' has the value {value}; it must be 0 to {len(values) - 1}."
        return None

    def _problem_of_parents(self) -> str | None:
        for child, parent in self.parents.items():
            for name in (child, parent):
                if name not in self.names:
                    return f"parents names '{name}', which is no factor of it."
            of_child, of_parent = self.column(child), self.column(parent)
            pairs = np.unique(np.stack([of_child, of_parent]), axis=1)
            # children of a synthetic world fire only with their parents, but may be silent
            if len(np.unique(pairs[0])) < pairs.shape[1] and not _fires_within(of_child, of_parent):
                return f"a value of '{child}' occurs with several values of its parent '{parent}'."
        return None

    def _problem_of_readouts(self) -> str | None:
        for factor, readout in self.readouts.items():
            if factor not in self.names:
                return f"readouts names '{factor}', which is no factor of it."
            values = self.value_names[self.names.index(factor)]
            for what, parts in (("stems", readout.stems), ("words", readout.words)):
                if len(parts) != len(self.prompts):
                    return (
                        f"the readout of '{factor}' has {len(parts)} {what} for "
                        f"{len(self.prompts)} prompts; there must be one for each."
                    )
            for number, words in enumerate(readout.words):
                if len(words) != len(values) or len(set(words)) < len(words):
                    return (
                        f"the readout of '{factor}' has the words {list(words)} in prompt "
                        f"{number}; it must have another for each of {', '.join(values)}."
                    )
        return None


def _fires_within(child: Int64[NDArray[Any], " n"], parent: Int64[NDArray[Any], " n"]) -> bool:
    """Test whether a child that is on (not 0) has a parent that is on."""
    return bool(np.all(parent[child != 0] != 0))
