"""Answers to multiple-choice questions of a model whose latents are clamped.

The answers are those of SAE-Bench's unlearning eval, which runs the whole model on every prompt for
every setting and unembeds every position. Here a prompt is tokenised once, the layers up to the
hook run once, its codes are taken once, and of a setting only the rest runs, and only for prompts
in which one of its latents is active; the answer's position alone is unembedded.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from csae_bench.activations.continuing import final_logits, last_residual, layer_after
from csae_bench.engines.unlearning.chat import ANSWERS, N_SPELLINGS
from csae_bench.engines.unlearning.prompts import ActiveLatents, AskedPrompts, Batch, in_batches

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from csae_bench.saes.attributes import AnySae

MEMORY_GIB = 4.0
"""Activations and codes that are kept between settings, at most."""
AHEAD_BYTES = 2**26
"""Activations of prompts under several clamps that run together: 64 MiB, or one batch."""
AHEAD_BATCHES = 16
"""The same in batches, at most: where memory runs out, batches are halved, and so is this."""


@dataclass(frozen=True, kw_only=True)
class Clamp:
    """An intervention: these latents at minus the multiplier wherever they are active."""

    latents: tuple[int, ...]
    multiplier: int


class _Clamped(NamedTuple):
    """Prompts of a batch that a clamp changes."""

    clamp: Clamp
    is_changed: Bool[Tensor, " n"]
    resid: Float[Tensor, "k length d_model"]


@dataclass
class AnswerEngine:
    """Engine that asks one model with one SAE, and remembers what it has asked."""

    model: HookedTransformer
    sae: AnySae
    """At the model's type and device."""
    hook_name: str
    batch_size: int
    """Prompts in a forward pass; answers do not depend on it."""
    asked: AskedPrompts = field(default_factory=lambda: AskedPrompts(MEMORY_GIB))
    """Activations kept between settings, and from the previous SAE."""
    _batches_asked: dict[int, Batch] = field(default_factory=dict[int, Batch])
    """Batches that were asked and are kept, by their identity."""
    _ahead: dict[tuple[int, Clamp], Tensor] = field(default_factory=dict[tuple[int, Clamp], Tensor])
    """Answers that `ask_ahead` has made, until they are asked for."""
    _codes: dict[int, ActiveLatents] = field(default_factory=dict[int, ActiveLatents])
    """By the identity of the batch."""
    _codes_bytes: int = 0
    _is_linear: bool | None = None

    @torch.no_grad()
    def probabilities(
        self, prompts: Sequence[str], clamp: Clamp | None = None, *, keep: bool = True
    ) -> Float[Tensor, "n n_choices"]:
        """Return probabilities of the letters A to D as next token, with or without a space before.

        SAE-Bench's `get_output_probs_abcd`, under `anthropic_clamp_resid_SAE_features`: the SAE's
        error stays, codes at `<bos>` are 0, a latent is clamped where it is active.

        Args:
            keep: true if these prompts will be asked again.

        Raises:
            DataError: a prompt is longer than the context, or holds a `<bos>` of its own.
        """
        batches = (
            self._batches(prompts)
            if keep
            else list(in_batches(self.model, prompts, self.batch_size))
        )
        of_answers = torch.empty(len(prompts), len(ANSWERS) // N_SPELLINGS, device=self._device)
        for batch in batches:
            if keep:
                self._batches_asked[id(batch)] = batch
            answers = self._answers(batch, clamp, keep=keep)
            of_answers[batch.rows] = answers.to(of_answers.dtype)
        return of_answers

    @torch.no_grad()
    def ask_ahead(self, clamps: Sequence[Clamp]) -> None:
        """Make the answers of all prompts asked so far under each clamp, several in one pass.

        `probabilities` then takes them as they are, once. Nothing is done where the clamped
        activation cannot be entered, or changes by more than its share of the decoder.
        """
        wanted = [clamp for clamp in dict.fromkeys(clamps) if clamp.latents]
        self._ahead.clear()
        if not self._place[1] or len(wanted) < 2:
            return
        for batch in self._batches_asked.values():
            resid = self._resid(batch, keep=True)
            if not all(
                self._has_linear_decoder(batch, resid, clamp, keep=True) for clamp in wanted
            ):
                return
            bytes_of_one = resid[0].numel() * resid.element_size()
            n_batches = AHEAD_BYTES // (bytes_of_one * self.batch_size)
            n_rows = self.batch_size * min(max(1, n_batches), AHEAD_BATCHES)
            self._ask_ahead(batch, resid, wanted, n_rows)

    def _ask_ahead(
        self,
        batch: Batch,
        resid: Float[Tensor, "n length d_model"],
        clamps: Sequence[Clamp],
        n_rows: int,
    ) -> None:
        waiting: list[_Clamped] = []
        for clamp in clamps:
            clamped, is_changed = self._clamped_linearly(batch, resid, clamp, keep=True)
            one = _Clamped(clamp, is_changed, clamped[is_changed])
            if sum(len(other.resid) for other in waiting) + len(one.resid) > n_rows:
                self._answer_together(batch, waiting)
                waiting.clear()
            waiting.append(one)
        self._answer_together(batch, waiting)

    def _answer_together(self, batch: Batch, clamped: Sequence[_Clamped]) -> None:
        clean = self._answers(batch, None, keep=True)
        resid = torch.cat([one.resid for one in clamped])
        answers = clean[:0]
        if len(resid):
            answer_at = torch.cat([batch.answer_at[one.is_changed] for one in clamped])
            answers = self._ask(resid, answer_at)
        parts = answers.split([len(one.resid) for one in clamped])
        for one, part in zip(clamped, parts, strict=True):
            of_clamp = clean.clone()
            of_clamp[one.is_changed] = part
            self._ahead[id(batch), one.clamp] = of_clamp

    @cached_property
    def _device(self) -> torch.device:
        return torch.device(str(self.model.cfg.device))

    @cached_property
    def _place(self) -> tuple[int, bool]:
        """First layer that runs again, and whether what enters it is the hook's activation."""
        layer = layer_after(self.hook_name)
        if layer is not None:
            return layer, True
        match = re.match(r"blocks\.(\d+)\.", self.hook_name)
        assert match is not None, "the hook's name was checked"
        return int(match[1]), False

    @cached_property
    def _answer_ids(self) -> Int[Tensor, " n_answers"]:
        return self.model.to_tokens(list(ANSWERS), prepend_bos=False).flatten()

    def _batches(self, prompts: Sequence[str]) -> list[Batch]:
        key = hashlib.sha256(json.dumps(list(prompts)).encode()).hexdigest()
        batches = self.asked.batches
        if key not in batches:
            batches[key] = list(in_batches(self.model, prompts, self.batch_size))
        return batches[key]

    def _answers(
        self, batch: Batch, clamp: Clamp | None, *, keep: bool
    ) -> Float[Tensor, "n n_choices"]:
        if clamp is None or not clamp.latents:
            if batch.clean is None:
                batch.clean = self._ask(self._resid(batch, keep=keep), batch.answer_at)
            return batch.clean
        known = self._ahead.pop((id(batch), clamp), None)
        if known is not None:
            return known
        if not self._place[1]:
            return self._ask_hooked(batch, clamp)
        resid = self._resid(batch, keep=keep)
        if not self._has_linear_decoder(batch, resid, clamp, keep=keep):
            return self._ask(self._clamped(resid, clamp), batch.answer_at)
        clamped, is_changed = self._clamped_linearly(batch, resid, clamp, keep=keep)
        answers = self._answers(batch, None, keep=keep).clone()
        if bool(is_changed.any()):
            answers[is_changed] = self._ask(clamped[is_changed], batch.answer_at[is_changed])
        return answers

    def _resid(self, batch: Batch, *, keep: bool) -> Float[Tensor, "n length d_model"]:
        if batch.resid is not None:
            return batch.resid
        resid = self.model(
            batch.tokens, stop_at_layer=self._place[0], return_type=None, padding_side="right"
        )
        if keep and self.asked.has_room(resid):
            batch.resid = resid
        return resid

    def _active(
        self, batch: Batch, resid: Float[Tensor, "n length d_model"], *, keep: bool
    ) -> ActiveLatents:
        if id(batch) in self._codes:
            return self._codes[id(batch)]
        codes = self.sae.encode(resid)
        positions = torch.arange(codes.shape[1], device=codes.device)
        is_read = (positions > 0) & (positions <= batch.answer_at[:, None])
        is_active = (codes > 0) & is_read[..., None]  # SAE-Bench clamps no negative code
        row, position, latent = is_active.nonzero(as_tuple=True)
        active = ActiveLatents(row * codes.shape[1] + position, latent, codes[is_active])
        if keep and self.asked.has_room(*active):
            self._codes[id(batch)] = active
            self._codes_bytes += sum(part.numel() * part.element_size() for part in active)
        return active

    def forget_codes(self) -> None:
        """Give the room of this SAE's codes back to what is kept for the next one."""
        self._codes.clear()
        self.asked.n_bytes -= self._codes_bytes
        self._codes_bytes = 0

    def _has_linear_decoder(
        self, batch: Batch, resid: Float[Tensor, "n length d_model"], clamp: Clamp, *, keep: bool
    ) -> bool:
        """Test once whether decoding a change of codes is adding its share of the decoder.

        In half precision it is not: SAE-Bench's detour through the reconstruction rounds, and its
        answers are to be kept.
        """
        if resid.dtype not in (torch.float32, torch.float64):
            return False
        if self._is_linear is None:
            added, is_changed = self._clamped_linearly(batch, resid, clamp, keep=keep)
            if not bool(is_changed.any()):
                return True  # of this batch nothing runs again; the next decides
            exact = self._clamped(resid, clamp)
            is_read = torch.arange(resid.shape[1], device=resid.device) <= batch.answer_at[:, None]
            change = (exact - resid)[is_read].abs().max()
            # float32 rounds sums of d_sae terms to about 1e-6 of their size
            self._is_linear = bool((exact - added)[is_read].abs().max() <= 1e-4 * (1 + change))
        return self._is_linear

    def _clamped_linearly(
        self, batch: Batch, resid: Float[Tensor, "n length d_model"], clamp: Clamp, *, keep: bool
    ) -> tuple[Float[Tensor, "n length d_model"], Bool[Tensor, " n"]]:
        """Return the activation under the clamp, and the rows of the batch that it changes."""
        active = self._active(batch, resid, keep=keep)
        is_clamped = torch.isin(
            active.latent, torch.tensor(clamp.latents, device=active.latent.device)
        )
        token, latent, value = (part[is_clamped] for part in active)
        change = (-clamp.multiplier - value)[:, None] * self.sae.W_dec[latent]
        clamped = resid.clone()
        clamped.view(-1, resid.shape[-1]).index_add_(0, token, change)
        is_changed = torch.zeros(len(resid), dtype=torch.bool, device=resid.device)
        is_changed[token // resid.shape[1]] = True
        return clamped, is_changed

    def _clamped(
        self, acts: Float[Tensor, "n length d_in"], clamp: Clamp
    ) -> Float[Tensor, "n length d_in"]:
        """Repeat SAE-Bench's `anthropic_clamp_resid_SAE_features`, operation by operation."""
        codes = self.sae.encode(acts)
        codes[:, 0, :] = 0.0
        error = acts - self.sae.decode(codes)
        chosen = codes[:, :, clamp.latents]
        codes[:, :, clamp.latents] = torch.where(chosen > 0, -clamp.multiplier, chosen)
        return error + self.sae.decode(codes)

    def _ask_hooked(self, batch: Batch, clamp: Clamp) -> Float[Tensor, "n n_choices"]:
        """Ask through a hook within a layer, which cannot be entered midway."""
        resid = self._resid(batch, keep=True)
        hook = (self.hook_name, lambda acts, hook: self._clamped(acts, clamp))
        with self.model.hooks(fwd_hooks=[hook]):
            return self._ask(resid, batch.answer_at)

    def _ask(
        self, resid: Float[Tensor, "n length d_model"], answer_at: Int[Tensor, " n"]
    ) -> Float[Tensor, "n n_choices"]:
        """Run the rest of the model."""
        model, (start, is_at_hook) = self.model, self._place
        if is_at_hook:
            last = last_residual(model, resid, start, answer_at)
        else:
            whole = model(resid, start_at_layer=start, stop_at_layer=model.cfg.n_layers)
            last = whole[torch.arange(len(whole), device=whole.device), answer_at][:, None]
        answers = final_logits(model, last)[:, 0].softmax(-1)[:, self._answer_ids]
        return answers.reshape(len(answers), N_SPELLINGS, -1).amax(1)
