"""Pairs of a position in each of two texts that differ in one factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray
from typing_extensions import override

from csae_bench.activations.reading import ReadActivations
from csae_bench.config import MinimalSettings
from csae_bench.corpora.minimal_pairs import MinimalPair, MinimalPairTexts
from csae_bench.errors import DataError
from csae_bench.pairs.alignment import last_positions, positions_after_change
from csae_bench.pairs.text_pairs import TextPairs, TextsTogether

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer
    from transformer_lens.HookedRootModule import HookedRootModule

FIRST_GROUP = 2**40
"""Added to the number of a group, so that no group of paraphrases has the same."""


class MinimalPairs(TextPairs):
    """Minimal pairs in the order of their groups; with paraphrases, groups of three.

    The rows of a group of three are those of the anchor, of the changed text and of the anchor's
    paraphrase.
    """

    kind = "minimal"

    def __init__(
        self,
        model: HookedTransformer | HookedRootModule,
        activations: ReadActivations,
        texts: MinimalPairTexts,
        settings: MinimalSettings,
        **options: Any,
    ) -> None:
        """Build a source that has read nothing yet; `options` are those of `TextPairs`."""
        self._texts = texts
        self._settings = settings
        self.n_together = 3 if settings.with_paraphrases else 2
        super().__init__(model, activations, dataset=settings.dataset, **options)

    @property
    @override
    def groups_per_epoch(self) -> int | None:
        return self._texts.n_groups

    @override
    def _together(self, group: int, rng: np.random.Generator) -> list[TextsTogether]:
        return [
            TextsTogether(FIRST_GROUP + group, self._three(group, pair), pair.values or (-1, -1))
            for pair in self._texts.pairs(group)
        ]

    @override
    def _positions(
        self,
        tokens: list[NDArray[np.int64]],
        usable: list[NDArray[np.int64]],
        rng: np.random.Generator,
    ) -> Int64[NDArray[Any], "n_pairs n_together"]:
        if self._settings.positions == "last":
            return last_positions(usable)
        (anchor, changed), (of_anchor, of_changed) = tokens, usable
        return positions_after_change(anchor, changed, of_anchor, of_changed)

    @override
    def _no_pairs(self) -> str:
        if self._settings.positions == "last":
            return super()._no_pairs()
        return "no two that are paired have an equal token after their first difference"

    def _three(self, group: int, pair: MinimalPair) -> tuple[str, ...]:
        if not self._settings.with_paraphrases:
            return pair.anchor, pair.changed
        if pair.paraphrase is None:
            raise DataError(
                f"pairs.minimal.with_paraphrases is true, but group {group} of "
                f"pairs.minimal.dataset '{self.dataset}' has no paraphrase of its anchor; add one, "
                "or set pairs.minimal.with_paraphrases=false."
            )
        return pair.anchor, pair.changed, pair.paraphrase
