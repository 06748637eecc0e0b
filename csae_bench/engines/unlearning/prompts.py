"""Prompts as tokens, in batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from csae_bench.errors import DataError

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


class ActiveLatents(NamedTuple):
    """A batch's codes above 0, one entry each, without `<bos>` and what follows the answer."""

    token: Int[Tensor, " n_entries"]
    """Row times length plus position."""
    latent: Int[Tensor, " n_entries"]
    value: Float[Tensor, " n_entries"]


@dataclass
class Batch:
    """Prompts that are asked together, and the tensors kept for them."""

    rows: Int[Tensor, " n"]
    """Indices of its prompts among those asked."""
    tokens: Int[Tensor, "n length"]
    answer_at: Int[Tensor, " n"]
    """Position whose prediction is the answer."""
    resid: Float[Tensor, "n length d_model"] | None = None
    """Input of the first layer that runs again."""
    clean: Float[Tensor, "n n_choices"] | None = None
    """Probabilities without intervention."""


@dataclass
class AskedPrompts:
    """Prompts that were asked of a model, and the tensors kept for every SAE on one hook."""

    memory_gib: float
    """Activations that are kept, at most, those of one SAE's codes included."""
    batches: dict[str, list[Batch]] = field(default_factory=dict[str, list[Batch]])
    n_bytes: int = 0

    def has_room(self, *tensors: Tensor) -> bool:
        """Count the tensors in if they fit."""
        n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        if self.n_bytes + n_bytes > self.memory_gib * 2**30:
            return False
        self.n_bytes += n_bytes
        return True


def in_batches(
    model: HookedTransformer, prompts: Sequence[str], batch_size: int
) -> Iterator[Batch]:
    """Batch prompts of like length together: padding on the right changes nothing before it.

    Raises:
        DataError: a prompt is longer than the context, or holds a `<bos>` of its own.
    """
    device = torch.device(str(model.cfg.device))
    tokens, lengths = _tokenised(model, prompts)
    for rows in torch.argsort(lengths, stable=True).split(batch_size):
        longest = int(lengths[rows].max())
        yield Batch(
            rows.to(device),
            tokens[rows, :longest].to(device),
            (lengths[rows] - 1).to(device),
        )


def _tokenised(
    model: Any, prompts: Sequence[str]
) -> tuple[Int[Tensor, "n longest"], Int[Tensor, " n"]]:
    tokens = model.to_tokens(
        list(prompts),
        prepend_bos=False,  # the prompt begins with one
        padding_side="right",
        move_to_device=False,
        truncate=False,
    )
    is_text = tokens != model.tokenizer.pad_token_id
    # the last that is no padding: a pad token within a prompt is text
    lengths = tokens.shape[1] - is_text.flip(1).int().argmax(1)
    if int(lengths.max()) > model.cfg.n_ctx:
        prompt = prompts[int(lengths.argmax())]
        raise DataError(
            f"A question is {int(lengths.max())} tokens long; {model.cfg.model_name} takes at "
            f"most {model.cfg.n_ctx}. Leave it out: {prompt[:200]!r}"
        )
    has_one_bos = (tokens == model.tokenizer.bos_token_id).sum(1) == 1
    if not bool(has_one_bos.all()):
        prompt = prompts[int(has_one_bos.int().argmin())]
        raise DataError(
            "A question's prompt must hold the beginning-of-sequence token once, at its "
            f"start; this one does not, so leave it out: {prompt[:200]!r}"
        )
    return tokens, lengths
