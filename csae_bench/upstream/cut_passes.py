"""Activations and codes of padded texts, computed only where there is text.

SAE-Bench pads every text to the context, runs model and SAE on the padding too and sets what they
give there to zero. Here its own functions run on texts of like length, cut after the longest of
them. A row of a matrix product is the same however many rows are multiplied with it, so the values
are the same to the last bit; that is looked at with the first texts of each length and of each SAE,
and where a bit differs, as it does on GPUs, everything runs at full length as in SAE-Bench.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from sae_bench.sae_bench_utils import activation_collection
from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses

STEP = 8
"""Lengths that texts are cut to are multiples of this."""
_SHORTEST = 16
"""Shortest of them: below it sums over the positions pair off otherwise than over all of them."""
_N_CHECKED = 2
"""Texts at each length, and four times as many of an SAE, that are also computed at full length."""

_read_at_full_length = activation_collection.get_llm_activations
_encode_at_full_length = activation_collection.get_sae_meaned_activations


class LengthGroup(NamedTuple):
    """Texts of like length."""

    rows: Int[Tensor, " n_rows"]
    acts: Float[Tensor, "n_rows length d_in"]


@dataclass(frozen=True)
class TextActs:
    """Activations of the texts of a class; zero at special tokens."""

    groups: tuple[LengthGroup, ...]
    n: int
    context: int

    def padded(self) -> Float[Tensor, "n context d_in"]:
        """Return them with zeros up to the context, as SAE-Bench has them."""
        first = self.groups[0].acts
        full = first.new_zeros(self.n, self.context, first.shape[2])
        for group in self.groups:
            full[group.rows, : group.acts.shape[1]] = group.acts
        return full


def read_texts(
    tokenized: Mapping[str, Mapping[str, Tensor]],
    model: HookedTransformer,
    batch_size: int,
    layer: int,
    hook_name: str,
    shared: SharedPasses,
) -> dict[str, Tensor]:
    """Return what `activation_collection.get_all_llm_activations` does, special tokens masked.

    Args:
        shared: holds the activations by model, hook and tokens.
    """
    acts: dict[str, Tensor] = {}
    for name, inputs in tokenized.items():
        tokens = inputs["input_ids"]
        digest = hashlib.blake2b(tokens.cpu().numpy().tobytes(), digest_size=16).hexdigest()
        key = ("classes", id(model), hook_name, tuple(tokens.shape), digest, batch_size)
        reader = _Reader(model, batch_size, layer, hook_name, shared)
        acts[name] = shared.get_or_make(key, lambda t=tokens, r=reader: r.read(t)).padded()
    return acts


class _Reader(NamedTuple):
    """SAE-Bench's reading of a model at a hook."""

    model: HookedTransformer
    batch_size: int
    layer: int
    hook_name: str
    shared: SharedPasses

    def read(self, tokens: Int[Tensor, "n context"]) -> TextActs:
        n, context = tokens.shape
        is_text = activation_collection.get_bos_pad_eos_mask(tokens, self.model.tokenizer)
        groups = tuple(
            LengthGroup(rows, self._checked(tokens[rows], length))
            for rows, length in _by_length(is_text)
        )
        return TextActs(groups, n, context)

    def _checked(self, tokens: Int[Tensor, "n_rows context"], length: int) -> Tensor:
        """Return activations up to `length`, all positions run where that makes a difference."""
        if length == tokens.shape[1]:
            return self._run(tokens)
        if self._cuts(tokens, length):
            return self._run(tokens[:, :length])
        return self._run(tokens)[:, :length].clone()

    def _cuts(self, tokens: Int[Tensor, "n_rows context"], length: int) -> bool:
        place = id(self.model), self.hook_name, tokens.shape[1]

        def at_full_length() -> tuple[Tensor, Tensor]:
            return tokens[:_N_CHECKED], self._run(tokens[:_N_CHECKED])

        def is_same() -> bool:
            few, whole = self.shared.get_or_make(("uncut", *place), at_full_length)
            return torch.equal(self._run(few[:, :length]), whole[:, :length])

        return self.shared.get_or_make(("cut", *place, length), is_same)

    def _run(self, tokens: Int[Tensor, "n_rows length"]) -> Float[Tensor, "n_rows length d_in"]:
        return _read_at_full_length(
            tokens,
            self.model,
            self.batch_size,
            self.layer,
            self.hook_name,
            mask_bos_pad_eos_tokens=True,
            show_progress=False,
        )


class Encoder:
    """SAE-Bench's mean codes of texts, by one SAE."""

    def __init__(self, sae: Any) -> None:
        self._sae = sae
        self._cuts: bool | None = None

    def mean_codes(
        self, acts: Mapping[str, Float[Tensor, "n context d_in"]], batch_size: int
    ) -> dict[str, Float[Tensor, "n d_sae"]]:
        """Return what `activation_collection.get_sae_meaned_activations` does."""
        if self._cuts is None:
            few = {"": next(iter(acts.values()))[: 4 * _N_CHECKED]}
            whole = _encode_at_full_length(few, self._sae, batch_size)
            self._cuts = torch.equal(self._of_cut(few[""], batch_size), whole[""])
        if not self._cuts:
            return _encode_at_full_length(dict(acts), self._sae, batch_size)
        return {name: self._of_cut(of_class, batch_size) for name, of_class in acts.items()}

    def _of_cut(
        self, acts: Float[Tensor, "n context d_in"], batch_size: int
    ) -> Float[Tensor, "n d_sae"]:
        parts: list[Tensor] = []
        order: list[Tensor] = []
        for rows, length in _by_length((acts != 0).any(dim=2)):
            cut = {"": acts[rows, :length]}
            parts.append(_encode_at_full_length(cut, self._sae, batch_size)[""])
            order.append(rows)
        return torch.cat(parts)[torch.cat(order).argsort()]


def _by_length(
    is_text: Bool[Tensor, "n context"],
) -> Iterator[tuple[Int[Tensor, " n_rows"], int]]:
    """Yield the texts of each length, and the length, which leaves no text out."""
    context = is_text.shape[1]
    places = torch.arange(1, context + 1, device=is_text.device)
    lengths = (is_text * places).amax(dim=1)
    cut_to = (-(-lengths // STEP) * STEP).clamp(min=min(_SHORTEST, context), max=context)
    for length in cut_to.unique().tolist():
        yield (cut_to == length).nonzero().squeeze(1), length
