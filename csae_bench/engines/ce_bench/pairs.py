"""Minimal pairs for CE-Bench's scores, read and encoded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from csae_bench.config.pairs import MinimalSettings
from csae_bench.corpora import TINYWORLD
from csae_bench.errors import DataError
from csae_bench.evals.inputs import Status
from csae_bench.minimal_pairs import (
    MinimalPair,
    MinimalPairTexts,
    minimal_pair_fingerprint,
    minimal_pair_status,
    open_minimal_pairs,
)

if TYPE_CHECKING:
    from csae_bench.evals import EvalContext
    from csae_bench.metrics.ce_bench import PairCodes

AUTO, ENGLISH = "auto", "english"

_FIRST_SEED = 2**20
"""Pairs of training are those of the run's seed; none of these is among them."""


def chosen_pairs(dataset: str, model: str | None) -> str:
    """Return what `auto` stands for: tinyworld for the bundled model, English for any other.

    Raises:
        UnknownNameError: there is no such model.
    """
    if dataset != AUTO:
        return dataset
    from csae_bench.models.names import resolve

    return TINYWORLD if model is not None and resolve(model).kind == TINYWORLD else ENGLISH


@dataclass(frozen=True, kw_only=True)
class PairsInput:
    """Minimal pairs, as training reads them."""

    settings: MinimalSettings
    key: str = "dataset"
    kind: str = "minimal_pairs"

    @property
    def name(self) -> str:
        """Name or path of the pairs."""
        return self.settings.dataset

    def status(self) -> list[Status]:
        """Return what is wrong with the pairs; files are read."""
        return [minimal_pair_status(self.settings)]

    def fingerprint(self) -> str:
        """Return a hash of the code or the stamps of the files that make them."""
        return minimal_pair_fingerprint(self.settings)


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedPairs:
    """Pairs with the mean codes of their texts."""

    pairs: tuple[MinimalPair, ...]
    minimal: PairCodes
    paraphrase: PairCodes | None
    """Anchors and their paraphrases, of the pairs that have one; None: none has."""
    n_truncated: int
    fingerprint: str
    """Hash of the texts."""


def read_pairs(settings: MinimalSettings, *, n_pairs: int, seed: int) -> tuple[MinimalPair, ...]:
    """Return the first pairs, each text's tokens to be read as a whole.

    Raises:
        DataError: the dataset is missing or malformed, or it has fewer than two pairs.
    """
    texts: MinimalPairTexts = open_minimal_pairs(settings, seed=_FIRST_SEED + seed)
    groups = count() if texts.n_groups is None else range(texts.n_groups)
    every = (pair for group in groups for pair in texts.pairs(group))
    pairs = tuple(islice(every, n_pairs))
    if len(pairs) < 2:
        raise DataError(
            f"{settings.dataset}: has {len(pairs)} minimal pair; CE-Bench's scores need two or "
            "more."
        )
    return pairs


def encode_pairs(ctx: EvalContext, pairs: tuple[MinimalPair, ...], name: str) -> EncodedPairs:
    """Encode all texts of the pairs, each once; codes are means over tokens but special ones.

    Raises:
        DataError: a text has no token.
        ModelError: the model has no such hook.
    """
    import numpy as np

    from csae_bench.factors.dataset import FactorDataset
    from csae_bench.factors.encoding import codes_of_prompts
    from csae_bench.metrics.ce_bench import PairCodes

    with_paraphrase = [pair for pair in pairs if pair.paraphrase is not None]
    texts = dict.fromkeys(text for pair in pairs for text in pair[:3] if text is not None)
    row = {text: number for number, text in enumerate(texts)}
    dataset = FactorDataset(
        name=f"minimal pairs of {name}",
        factors=np.zeros((len(row), 1), dtype=np.int64),
        names=("none",),
        value_names=(("none",),),
        templates=tuple(row),
        split="all",
        prompts=tuple(row),
        pooling="mean",
    )
    encoded = codes_of_prompts(ctx.sae, ctx.model(), dataset, ctx.hook_name, shared=ctx.shared)

    def codes(first: list[str], second: list[str]) -> PairCodes:
        rows: list[Any] = [[row[text] for text in side] for side in (first, second)]
        return PairCodes(
            first=encoded.codes[rows[0]],
            second=encoded.codes[rows[1]],
            n_first=encoded.n_tokens[rows[0]],
            n_second=encoded.n_tokens[rows[1]],
        )

    return EncodedPairs(
        pairs=pairs,
        minimal=codes([pair.anchor for pair in pairs], [pair.changed for pair in pairs]),
        paraphrase=codes(
            [pair.anchor for pair in with_paraphrase],
            [str(pair.paraphrase) for pair in with_paraphrase],
        )
        if with_paraphrase
        else None,
        n_truncated=encoded.n_truncated,
        fingerprint=dataset.fingerprint,
    )
