"""Activations of a language model at a hook on the prompts of a factor dataset, without an SAE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from csae_bench.activations.shared import SharedPasses
from csae_bench.factors.dataset import FactorDataset, Pooling
from csae_bench.factors.tokens import ReadPrompts, read_prompts
from csae_bench.pairs import activations_at

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


class ActsBatch(NamedTuple):
    """Activations of some prompts at the tokens that are pooled."""

    rows: Float[Tensor, "n_rows d_in"]
    prompt: Int64[Tensor, " n_rows"]
    """Place among `chosen` of the prompt that each row is of; ascends."""
    chosen: list[int]
    """Numbers of the prompts in the dataset."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PromptActs:
    """Activations of all prompts, in batches of like length."""

    batches: Iterable[ActsBatch]
    """In memory where there is room, so that the next SAE needs no pass; else read as they are
    asked for."""
    order: Int64[NDArray[Any], " n_prompts"]
    """Numbers of the prompts in the order of the batches."""
    n_tokens: Int64[NDArray[Any], " n_prompts"]
    n_truncated: int


def acts_of_prompts(
    model: HookedTransformer,
    dataset: FactorDataset,
    hook_name: str,
    *,
    pooling: Pooling,
    batch_size_prompts: int,
    context_size: int,
    device: torch.device,
    shared: SharedPasses,
) -> PromptActs:
    """Return the activations at the pooled tokens; each prompt is read once, from `<bos>` on.

    Args:
        shared: holds them for other SAEs, where there is room.

    Raises:
        DataError: a prompt has no token to pool, or its marked token is beyond the context.
        ModelError: the model has no such hook, or its tokenizer cannot find a marked token.
    """

    def read() -> PromptActs:
        prompts = read_prompts(model, dataset, pooling, context_size)
        order = np.argsort([len(tokens) for tokens in prompts.tokens], kind="stable")
        n_tokens = np.array([int(used.sum()) for used in prompts.is_pooled], dtype=np.int64)
        batches = _Passes(model, hook_name, prompts, order, batch_size_prompts, device)
        n_bytes = int(n_tokens.sum()) * int(model.cfg.d_model) * 4
        return PromptActs(
            batches=list(batches) if n_bytes <= shared.max_bytes else batches,
            order=order,
            n_tokens=n_tokens,
            n_truncated=prompts.n_truncated,
        )

    key = (
        "acts of prompts",
        id(model),
        hook_name,
        (dataset.name, dataset.split, dataset.fingerprint),
        (pooling, batch_size_prompts, context_size, str(device)),
    )
    return shared.get_or_make(key, read)


class _Passes:
    """Batches that are read from the model each time they are asked for."""

    def __init__(
        self,
        model: HookedTransformer,
        hook_name: str,
        read: ReadPrompts,
        order: NDArray[np.int64],
        batch_size: int,
        device: torch.device,
    ) -> None:
        self._activations = activations_at(model, hook_name, device=device)
        self._read, self._order, self._batch_size = read, order, batch_size

    def __iter__(self) -> Iterator[ActsBatch]:
        for start in range(0, len(self._order), self._batch_size):
            chosen = self._order[start : start + self._batch_size].tolist()
            tokens = pad_sequence([self._read.tokens[i] for i in chosen], batch_first=True)
            pooled = pad_sequence([self._read.is_pooled[i] for i in chosen], batch_first=True)
            with torch.no_grad():
                acts = self._activations(tokens)
            prompt, position = torch.nonzero(pooled.to(acts.device), as_tuple=True)
            yield ActsBatch(acts[prompt, position], prompt, chosen)
