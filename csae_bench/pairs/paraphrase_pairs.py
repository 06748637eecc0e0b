"""Pairs of a position in each of two texts that say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray
from typing_extensions import override

from csae_bench.activations.reading import ReadActivations
from csae_bench.config import ParaphraseSettings
from csae_bench.corpora import Paraphrases
from csae_bench.pairs.alignment import paired_positions
from csae_bench.pairs.text_pairs import TextPairs, TextsTogether

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer
    from transformer_lens.HookedRootModule import HookedRootModule


class ParaphrasePairs(TextPairs):
    """Texts of a group in a random matching.

    In each pass every text of a group has one partner; in a group of odd size one text is left
    out.
    """

    kind = "paraphrase"

    def __init__(
        self,
        model: HookedTransformer | HookedRootModule,
        activations: ReadActivations,
        paraphrases: Paraphrases,
        settings: ParaphraseSettings,
        **options: Any,
    ) -> None:
        """Build a source that has read nothing yet; `options` are those of `TextPairs`."""
        self._paraphrases = paraphrases
        self._settings = settings
        super().__init__(model, activations, dataset=settings.dataset, **options)

    @property
    @override
    def groups_per_epoch(self) -> int | None:
        return self._paraphrases.n_groups

    @override
    def _together(self, group: int, rng: np.random.Generator) -> list[TextsTogether]:
        texts = self._paraphrases.texts(group)
        order = rng.permutation(len(texts)).tolist()
        return [
            TextsTogether(group, (texts[one], texts[other]))
            for one, other in zip(order[::2], order[1::2], strict=False)
        ]

    @override
    def _positions(
        self,
        tokens: list[NDArray[np.int64]],
        usable: list[NDArray[np.int64]],
        rng: np.random.Generator,
    ) -> Int64[NDArray[Any], "n_pairs n_together"]:
        one, other = usable
        return paired_positions(one, other, self._settings.positions, rng)
