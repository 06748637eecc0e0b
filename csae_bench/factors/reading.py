"""Activations of a language model at a hook on the prompts of a factor dataset, without an SAE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from csae_bench.activations.shared import SharedPasses
from csae_bench.factors.dataset import ONE_TOKEN, FactorDataset, Pooling
from csae_bench.factors.tokens import ReadPrompts, read_prompts
from csae_bench.pairs import activations_at

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from csae_bench.activations.reading import ReadActivations


class ActsBatch(NamedTuple):
    """Activations of some prompts at the tokens that any pooling reads."""

    rows: Float[Tensor, "n_rows d_in"]
    prompt: Int64[Tensor, " n_rows"]
    """Place among `chosen` of the prompt that each row is of; ascends."""
    chosen: list[int]
    """Numbers of the prompts in the dataset."""
    one_token: Mapping[Pooling, Int64[Tensor, " n_prompts"]]
    """For each pooling that reads one token: its row, for each of `chosen`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PromptActs:
    """Activations of all prompts, in batches of like length."""

    batches: Iterable[ActsBatch]
    """In memory where there is room, so that the next SAE needs no pass; else read as they are
    asked for."""
    order: Int64[NDArray[Any], " n_prompts"]
    """Numbers of the prompts in the order of the batches."""
    n_tokens: Int64[NDArray[Any], " n_prompts"]
    """Rows of each prompt."""
    n_truncated: int


def acts_of_prompts(
    model: HookedTransformer,
    dataset: FactorDataset,
    hook_name: str,
    *,
    poolings: Sequence[Pooling],
    batch_size_prompts: int,
    context_size: int,
    device: torch.device,
    shared: SharedPasses,
) -> PromptActs:
    """Return the activations at the pooled tokens; each prompt is read once, from `<bos>` on.

    Args:
        poolings: the tokens of all of them are read in the same pass.
        shared: holds them for other SAEs, where there is room.

    Raises:
        DataError: a prompt has no token to pool, or its marked token is beyond the context.
        ModelError: the model has no such hook, or its tokenizer cannot find a marked token.
    """

    def read() -> PromptActs:
        by_pooling: dict[Pooling, ReadPrompts] = {
            pooling: read_prompts(model, dataset, pooling, context_size)
            for pooling in _with_distinct_tokens(poolings)
        }
        first = next(iter(by_pooling.values()))
        is_read = [torch.stack(masks).any(0) for masks in _masks_by_prompt(by_pooling)]
        order = np.argsort([len(tokens) for tokens in first.tokens], kind="stable")
        n_tokens = np.array([int(mask.sum()) for mask in is_read], dtype=np.int64)
        batches = _Passes(
            activations_at(model, hook_name, device=device),
            first._replace(is_pooled=is_read),
            {p: each.is_pooled for p, each in by_pooling.items() if p in ONE_TOKEN},
            order,
            batch_size_prompts,
        )
        n_bytes = int(n_tokens.sum()) * int(model.cfg.d_model) * 4
        return PromptActs(
            batches=list(batches) if n_bytes <= shared.max_bytes else batches,
            order=order,
            n_tokens=n_tokens,
            n_truncated=first.n_truncated,
        )

    key = (
        "acts of prompts",
        id(model),
        hook_name,
        (dataset.name, dataset.split, dataset.fingerprint),
        (_with_distinct_tokens(poolings), batch_size_prompts, context_size, str(device)),
    )
    return shared.get_or_make(key, read)


def _with_distinct_tokens(poolings: Sequence[Pooling]) -> tuple[Pooling, ...]:
    """Keep one of the poolings over all tokens: they read the same."""
    kept: list[Pooling] = sorted({pooling for pooling in poolings if pooling in ONE_TOKEN})
    over_all = any(pooling not in ONE_TOKEN for pooling in poolings)
    return (*kept, "mean") if over_all else tuple(kept)


def _masks_by_prompt(
    by_pooling: Mapping[Pooling, ReadPrompts],
) -> Iterator[tuple[Bool[Tensor, " _"], ...]]:
    return zip(*(read.is_pooled for read in by_pooling.values()), strict=True)


@dataclass(frozen=True, eq=False)
class _Passes:
    """Batches that are read from the model each time they are asked for."""

    activations: ReadActivations
    read: ReadPrompts
    one_token: Mapping[Pooling, Sequence[Bool[Tensor, " _"]]]
    order: NDArray[np.int64]
    batch_size: int

    def __iter__(self) -> Iterator[ActsBatch]:
        for start in range(0, len(self.order), self.batch_size):
            chosen = self.order[start : start + self.batch_size].tolist()
            tokens = pad_sequence([self.read.tokens[i] for i in chosen], batch_first=True)
            with torch.no_grad():
                acts = self.activations(tokens)
            is_read = _padded(self.read.is_pooled, chosen).to(acts.device)
            prompt, position = torch.nonzero(is_read, as_tuple=True)
            one_token: dict[Pooling, Tensor] = {
                pooling: torch.nonzero(_padded(masks, chosen).to(acts.device)[prompt, position])[
                    :, 0
                ]
                for pooling, masks in self.one_token.items()
            }
            yield ActsBatch(acts[prompt, position], prompt, chosen, one_token)


def _padded(
    masks: Sequence[Bool[Tensor, " _"]], chosen: Sequence[int]
) -> Bool[Tensor, "n_prompts n_max_pos"]:
    return pad_sequence([masks[i] for i in chosen], batch_first=True)
