"""Sources of pairs of texts, by the kind's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from csae_bench.config import PairsSettings
from csae_bench.pair_texts import PAIR_TEXTS
from csae_bench.pairs.minimal_pairs import MinimalPairs
from csae_bench.pairs.paraphrase_pairs import ParaphrasePairs
from csae_bench.pairs.text_pairs import TextPairs

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer
    from transformer_lens.HookedRootModule import HookedRootModule

_SOURCES: Mapping[str, type[ParaphrasePairs] | type[MinimalPairs]] = {
    source.kind: source for source in (ParaphrasePairs, MinimalPairs)
}


def open_text_pairs(
    kind: str,
    settings: PairsSettings,
    model: HookedTransformer | HookedRootModule,
    activations: Callable[..., Any],
    *,
    seed: int,
    **options: Any,
) -> TextPairs:
    """Open a kind of PAIR_TEXTS; for the arguments see `TextPairs`.

    Raises:
        DataError: the texts are missing or malformed.
        UsageError: the package that a named set is read from is not installed.
    """
    of_kind = getattr(settings, kind)
    texts = PAIR_TEXTS[kind].open(of_kind, seed=seed)
    return _SOURCES[kind](model, activations, texts, of_kind, seed=seed, **options)
