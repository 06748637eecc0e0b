"""Prompts as tokens, and the tokens that are pooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from csae_bench.activations.sources import special_token_ids
from csae_bench.errors import DataError, ModelError
from csae_bench.factors.dataset import FactorDataset, Pooling

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


class ReadPrompts(NamedTuple):
    """The prompts of a dataset, each from `<bos>` on and cut after the context."""

    tokens: list[Int64[Tensor, " n_pos"]]
    is_pooled: list[Bool[Tensor, " n_pos"]]
    """At least one token of each prompt; special tokens never."""
    n_truncated: int
    """Prompts that were cut."""


def read_prompts(
    model: HookedTransformer,
    dataset: FactorDataset,
    pooling: Pooling,
    context_size: int,
    *,
    rows: Sequence[int] | None = None,
) -> ReadPrompts:
    """Tokenize the prompts.

    Args:
        rows: those that are read, by number; none: all.

    Raises:
        DataError: a prompt has no token to pool among its first `context_size`.
        ModelError: the tokenizer cannot say which token holds a mark.
    """
    tokenizer: Any = model.tokenizer
    bos = tokenizer.bos_token_id
    first = torch.tensor([tokenizer.eos_token_id if bos is None else bos])
    special = torch.tensor(special_token_ids(tokenizer), dtype=torch.long)
    read = ReadPrompts([], [], 0)
    n_truncated = 0
    for number in range(len(dataset.prompts)) if rows is None else rows:
        prompt = dataset.prompts[number]
        place = f"factor dataset '{dataset.name}', prompt {number} ('{prompt[:40]}')"
        encoded = model.to_tokens(prompt, prepend_bos=False, truncate=False, move_to_device=False)
        whole = torch.cat([first, encoded[0].cpu().long()])
        n_truncated += len(whole) > context_size
        tokens = whole[:context_size]
        usable = ~torch.isin(tokens, special)
        if not usable.any():
            raise DataError(
                f"{place}: has no token other than special ones among its first {context_size}; "
                "use texts with words, or raise the context."
            )
        if pooling == "last":
            usable = _only(int(usable.nonzero().max()), like=usable)
        elif pooling == "marked":
            assert dataset.marks is not None
            position = _token_at(tokenizer, prompt, dataset.marks[number], whole, place)
            if position >= context_size:
                raise DataError(
                    f"{place}: its marked token is number {position + 1}, and {context_size} are "
                    "read; raise the context, or shorten the text."
                )
            if not usable[position]:
                token = tokenizer.convert_ids_to_tokens(int(tokens[position]))
                raise DataError(
                    f"{place}: its marked token is a special one, '{token}'; mark a word that the "
                    "model knows."
                )
            usable = _only(position, like=usable)
        read.tokens.append(tokens)
        read.is_pooled.append(usable)
    return read._replace(n_truncated=n_truncated)


def _only(position: int, *, like: Bool[Tensor, " n_pos"]) -> Bool[Tensor, " n_pos"]:
    alone = torch.zeros_like(like)
    alone[position] = True
    return alone


def _token_at(
    tokenizer: Any, prompt: str, character: int, tokens: Int64[Tensor, " n_pos"], place: str
) -> int:
    """Find the position in `tokens`, which begin with `<bos>`, of the token with a character."""
    remedy = "use another pooling than 'marked'."
    if not tokenizer.is_fast:
        raise ModelError(
            f"{place}: the model's tokenizer does not say which token holds a character; {remedy}"
        )
    tokenised = tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
    if tokenised["input_ids"] != tokens[1:].tolist():
        raise ModelError(
            f"{place}: the tokenizer gives other tokens with offsets than without; {remedy}"
        )
    for position, (start, end) in enumerate(tokenised["offset_mapping"], start=1):
        if start <= character < end:
            return position
    raise DataError(f"{place}: no token holds its marked character {character}.")
