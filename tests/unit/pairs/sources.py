"""Sources whose rows tell where they come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer

from csae_bench.activations.sources import Sequences
from csae_bench.config import MinimalSettings, ParaphraseSettings, SameSequenceSettings
from csae_bench.corpora import CollectedParaphrases, Paraphrases
from csae_bench.minimal_pairs import MinimalPair
from csae_bench.pairs import (
    MinimalPairs,
    PairSource,
    PairStream,
    ParaphrasePairs,
    SameSequencePairs,
)
from csae_bench.tinyworld import model_dir


def numbered(
    n_seq: int = 16, n_pos: int = 64, first: int = 0, usable_share: float = 1.0, n_texts: int = 1
) -> Sequences:
    """Rows of (number of the sequence, position, usable)."""
    generator = torch.Generator().manual_seed(first)
    text = (torch.arange(n_pos) * n_texts).div(n_pos, rounding_mode="floor")
    ids = (first + torch.arange(n_seq))[:, None] * 1000 + text
    usable = torch.rand(n_seq, n_pos, generator=generator) <= usable_share
    positions = torch.arange(n_pos).expand(n_seq, -1)
    return Sequences(torch.stack([ids, positions, usable], 2).float(), usable, ids)


class NumberedSource:
    """A source of `numbered` sequences; `n_windows` makes it finite."""

    d_in = 3
    context_size = 64

    def __init__(self, n_windows: int | None = None, usable_share: float = 0.9) -> None:
        self._n_windows, self._usable_share, self._n_drawn = n_windows, usable_share, 0

    @property
    def epochs(self) -> int:
        return self._n_drawn * 16 // self._n_windows if self._n_windows else 0

    @property
    def windows_per_epoch(self) -> int | None:
        return self._n_windows if self.epochs else None

    def next_sequences(self) -> Sequences:
        self._n_drawn += 1
        return numbered(first=self._n_drawn * 16, usable_share=self._usable_share)

    def state_dict(self) -> dict[str, int]:
        return {"n_drawn": self._n_drawn}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._n_drawn = state["n_drawn"]


class ReadTokens:
    """In a model's place: the shipped tokenizer, and rows of (token, position, tokens read)."""

    def __init__(self) -> None:
        self.tokenizer: Any = AutoTokenizer.from_pretrained(model_dir(), local_files_only=True)
        self.shapes: list[torch.Size] = []

    def to_tokens(self, text: str, **_: bool) -> Tensor:
        return torch.tensor([self.tokenizer(text, add_special_tokens=False)["input_ids"]]).long()

    def read(self, tokens: Tensor) -> Tensor:
        self.shapes.append(tokens.shape)
        positions = torch.arange(tokens.shape[1]).expand_as(tokens)
        return torch.stack([tokens, positions, tokens.cumsum(1)], dim=2).float()


def sequence_pairs(source: Any = None, *, seed: int = 0, **settings: Any) -> SameSequencePairs:
    return SameSequencePairs(
        source or NumberedSource(), SameSequenceSettings(**settings), seed=seed
    )


def collected(*groups: tuple[str, ...]) -> CollectedParaphrases:
    return CollectedParaphrases(groups, n_alone=0)


def paraphrase_pairs(
    paraphrases: Paraphrases,
    *,
    model: ReadTokens | None = None,
    seed: int = 0,
    context_size: int = 64,
    batch_size_prompts: int = 8,
    **settings: Any,
) -> ParaphrasePairs:
    model = model or ReadTokens()
    return ParaphrasePairs(
        model,  # pyright: ignore[reportArgumentType]
        model.read,
        paraphrases,
        ParaphraseSettings(**settings),
        d_in=3,
        context_size=context_size,
        batch_size_prompts=batch_size_prompts,
        seed=seed,
    )


def stream(
    sources: Mapping[str, PairSource] | None = None,
    shares: Mapping[str, float] | None = None,
    *,
    seed: int = 0,
    batch_size: int = 64,
    pairs_in_buffer: int = 1024,
    **options: Any,
) -> PairStream:
    """Of same-sequence pairs where no sources are given."""
    sources = sources or {"same_sequence": sequence_pairs(seed=seed)}
    return PairStream(
        sources,
        shares or dict.fromkeys(sources, 1.0),
        batch_size=batch_size,
        pairs_in_buffer=pairs_in_buffer,
        seed=seed,
        **options,
    )


def write_jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# the shipped tokenizer has a token for every word of these
SAW = MinimalPair(
    " she saw the rocket",
    " she never saw the rocket",
    " the rocket that she saw",
    "polarity",
    (0, 1),
)
SAIL = MinimalPair(" we saw a sail", " we saw a goal", " a sail we saw", "topic", (3, 4))
UNNAMED = MinimalPair(" it is a goal", " it was a goal")


@dataclass(frozen=True)
class MinimalTexts:
    groups: tuple[tuple[MinimalPair, ...], ...]
    value_names = ("polarity=affirmative",)

    @property
    def n_groups(self) -> int | None:
        return len(self.groups)

    def pairs(self, group: int) -> tuple[MinimalPair, ...]:
        return self.groups[group]


@dataclass(frozen=True)
class AlternatingTexts:
    n_groups = None
    value_names = ()

    def pairs(self, group: int) -> tuple[MinimalPair, ...]:
        return ((SAW, SAIL)[group % 2],)


MINIMAL = AlternatingTexts()
"""Endless."""


def minimal_pairs(
    texts: Any,
    *,
    model: ReadTokens | None = None,
    seed: int = 0,
    batch_size_prompts: int = 8,
    context_size: int = 64,
    **settings: Any,
) -> MinimalPairs:
    model = model or ReadTokens()
    return MinimalPairs(
        model,  # pyright: ignore[reportArgumentType]
        model.read,
        texts,
        MinimalSettings(**settings),
        d_in=3,
        context_size=context_size,
        batch_size_prompts=batch_size_prompts,
        seed=seed,
    )
