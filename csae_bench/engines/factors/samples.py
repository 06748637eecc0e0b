"""The samples of an eval: an SAE's codes of a factor dataset, checked, with their templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from csae_bench.engines.factors.settings import FactorEvalConfig
from csae_bench.evals import EvalContext
from csae_bench.factors import Pooling
from csae_bench.factors.dataset import POOLING_IN_WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from csae_bench.factors.encoding import FactorCodes, TopPrompt
    from csae_bench.metrics.data import Codes, Factors

POOLED_OVER_TOKENS: tuple[Pooling, ...] = ("mean", "max")
"""The poolings over all tokens of a prompt, which are reported next to a dataset's own."""
FEW_TEMPLATES = 10
"""Below this many, percentile intervals cover too little."""
MIN_SAMPLES = 2000
"""Below this many, the null of the largest of thousands of latents is wide."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Codes of a factor dataset, with the further inputs of metrics."""

    encoded: FactorCodes
    is_shuffled: bool = False
    """True if the factors are those of other samples, as a control."""
    pooled: Mapping[Pooling, FactorCodes] = field(default_factory=dict)
    """The same prompts' codes pooled over all of their tokens; empty for single activations."""

    def over_tokens(self) -> Iterator[tuple[Pooling, Codes]]:
        """Yield each pooling over all tokens and the codes, as metrics take them."""
        for pooling, encoded in self.pooled.items():
            yield pooling, encoded.checked

    @property
    def codes(self) -> Codes:
        """The codes as metrics take them; the evals of a run share them, bins and all."""
        return self.encoded.checked

    @cached_property
    def factors(self) -> Factors:
        """The factor table as metrics take it."""
        return self.encoded.factors

    @property
    def templates(self) -> tuple[str, ...]:
        """Template of each sample: the clusters of intervals and splits."""
        return self.encoded.dataset.templates

    @property
    def n_templates(self) -> int:
        return len(set(self.templates))

    @property
    def parents(self) -> Mapping[str, str]:
        """Child factor -> parent factor."""
        return self.encoded.dataset.parents

    def divided_factors(self) -> dict[str, str]:
        """Parent -> a child that divides its values: each of the child's is within one of them.

        A latent has at least as much information on the child as on the parent.
        """
        dataset = self.encoded.dataset
        divided: dict[str, str] = {}
        for child, parent in dataset.parents.items():
            pairs = np.stack([dataset.column(child), dataset.column(parent)])
            if len(np.unique(pairs[0])) == np.unique(pairs, axis=1).shape[1]:
                divided[parent] = child
        return divided

    @property
    def unit(self) -> str:
        """What is scored, for a title: `codes at the last token`."""
        if not self.encoded.dataset.prompts:
            return "codes of activations"
        return POOLING_IN_WORDS[self.encoded.pooling]

    def half_of_templates(self, seed: int) -> NDArray[np.bool_] | None:
        """Mask the samples to choose latents on; None if there is only one template."""
        from csae_bench.metrics.splits import split_clusters

        if self.n_templates < 2:
            return None
        return split_clusters(np.array(self.templates), share=0.5, seed=seed)

    def top_prompts(self, latent: int, n: int = 10) -> tuple[TopPrompt, ...]:
        """Return the prompts with the latent's largest codes."""
        return self.encoded.top_prompts(latent, n)

    def describe(self) -> dict[str, Any]:
        """Describe where the numbers come from, for `unstructured["data"]`."""
        dataset = self.encoded.dataset
        return {
            "factors": dataset.name,
            "fingerprint": dataset.fingerprint,
            "split": dataset.split,
            "pooling": self.encoded.pooling,
            "n": self.codes.n,
            "d_sae": self.codes.d_sae,
            "n_latents_that_vary": int(self.codes.varies.sum()),
            "n_factors": self.factors.n_factors,
            "n_templates": self.n_templates,
            "n_truncated": self.encoded.n_truncated,
            "is_shuffled": self.is_shuffled,
        }

    def notes_on_intervals(self) -> list[str]:
        """Return those of the notes that say how far intervals can be trusted."""
        if 1 < self.n_templates < FEW_TEMPLATES:
            return [f"intervals from {self.n_templates} templates are narrower than they should be"]
        return []

    def notes(self) -> list[str]:
        """List facts about the dataset, not the SAE, a sentence each."""
        notes = self.notes_on_intervals()
        divided = self.divided_factors()
        related = {name for pair in self.parents.items() for name in pair}
        if related - {*divided, *divided.values()}:
            notes.append(
                f"{len(related)} factors are a parent or a child of another: a latent for the one "
                "is informative about the other, so an oracle SAE gets less than 1 from MIG, DCI "
                "and FactorVAE"
            )
        for parent, child in divided.items():
            notes.append(
                f"'{child}' divides the values of '{parent}': in factor_vae_population the vote of "
                f"'{parent}' can never stand, and latents for '{child}' compete for '{parent}'"
            )
        return notes

    def warnings(self) -> list[str]:
        """List warnings that a reader of the scores must know, a sentence each."""
        warnings: list[str] = []
        if self.is_shuffled:
            warnings.append("a control: the factors are those of other samples, drawn at random")
        if self.codes.n < MIN_SAMPLES:
            warnings.append(
                f"{self.codes.n} samples are few: use at least {MIN_SAMPLES}, or the best of many "
                "latents is good by chance"
            )
        if self.encoded.n_truncated:
            warnings.append(
                f"{self.encoded.n_truncated} prompts are longer than the context and were cut"
            )
        return warnings


def samples_of(ctx: EvalContext, cfg: FactorEvalConfig) -> Samples:
    """Return the codes of the eval's factor dataset, encoded once for all evals of a run.

    Raises:
        DataError, EvalError, ModelError, UnknownNameError: see `EvalContext.codes_and_factors`.
    """

    def codes(pooling: Pooling | None, *also: Pooling) -> FactorCodes:
        return ctx.codes_and_factors(
            cfg.factors, split=cfg.split, seed=cfg.seed, pooling=pooling, also=also
        )

    of_factors = codes(cfg.pooling, *POOLED_OVER_TOKENS)
    pooled: dict[Pooling, FactorCodes] = {}
    if of_factors.dataset.prompts:
        pooled = {pooling: codes(pooling) for pooling in POOLED_OVER_TOKENS}
    if cfg.shuffled:
        of_factors = replace(of_factors, dataset=of_factors.dataset.shuffled(cfg.seed))
    return Samples(of_factors, is_shuffled=cfg.shuffled, pooled=pooled)
