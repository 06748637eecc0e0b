"""Interventions on latents: their effect on a factor's later words, in log-odds.

A latent's codes are set at a prompt's tokens, and x + decode(z') - decode(z) runs through the rest
of the model in place of the activations x: what the SAE does not reconstruct stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from csae_bench.activations.code_steps import CodeSteps
from csae_bench.activations.continuing import final_logits, last_residual, layer_after
from csae_bench.activations.sources import special_token_ids
from csae_bench.errors import DataError
from csae_bench.factors.dataset import FactorDataset, Pooling
from csae_bench.factors.tokens import read_prompts
from csae_bench.pairs import activations_at
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

QUANTILE = 0.95
"""Quantile of a latent's codes where it is active that it is clamped to."""

LogOdds = Float[NDArray[Any], "n_prompts n_values_total"]
"""Log-odds in nats of each factor value's word against the words of the factor's other values,
where that factor is asked for; NaN for a factor without a readout."""


class LatentSetting(NamedTuple):
    """Value that a latent's codes are set to; 0 ablates it."""

    latent: int
    code: float


@dataclass(frozen=True, kw_only=True)
class _Question:
    """A prompt with the stem that asks for a factor."""

    prompt: int
    """Its place among the chosen prompts."""
    columns: slice
    """Numbers of the factor's values among all values."""
    words: Int64[Tensor, " n_values"]
    tokens: Int64[Tensor, " n_pos"]
    is_set: Bool[Tensor, " n_pos"]
    """Where codes may be set; special tokens never."""


@dataclass(frozen=True, kw_only=True)
class _Sequence(_Question):
    """A question that was read."""

    acts: Float[Tensor, "n_pos d_in"]
    codes: Float[Tensor, "n_pos n_latents"]
    """Of the latents that may be set."""


class Interventions:
    """A model's answers at some prompts of a dataset, as they are and with a latent's codes set.

    Every prompt is asked for every factor that has a readout, so that the model reads as many
    sequences as there are prompts times such factors. Memory: their activations at the hook, on
    the CPU.

    Args:
        rows: the prompts, by number; each once.
        pooling: codes are set from the first token that it reads to the end of the stem; none: the
            dataset's own. At the last token of a sentence alone a code may change nothing, since
            later tokens need not read it: on the bundled model true directions set at the full
            stop move the answer by 0.00 nats, set from there on by 1.1.
        latents: those that may be set; their codes at tokens are kept.

    Raises:
        DataError: a later word is not one token, or a prompt with its stem is longer than the
            context.
        ModelError: the model has no such hook.
    """

    def __init__(
        self,
        sae: AnySae,
        model: HookedTransformer,
        dataset: FactorDataset,
        hook_name: str,
        rows: Sequence[int],
        latents: Sequence[int],
        *,
        pooling: Pooling | None = None,
        batch_size: int = 64,
    ) -> None:
        self._sae, self._batch_size = sae, batch_size
        self._n_values = int(dataset.table.value_ptr[-1])
        self._place = {row: place for place, row in enumerate(rows)}
        self._continue = continuation(model, hook_name)
        self._steps = CodeSteps(sae, attributes.d_head(sae, model))
        self._sequences: list[_Sequence] = []
        self._active: dict[int, list[Tensor]] = {latent: [] for latent in latents}
        self.clean: LogOdds = np.full((len(rows), self._n_values), np.nan)
        asked = _questions(model, dataset, rows, pooling or dataset.pooling)
        read = activations_at(model, hook_name)
        with torch.no_grad():
            for start in range(0, len(asked), batch_size):
                self._read(asked[start : start + batch_size], read)

    @property
    def n_sequences(self) -> int:
        """Sequences that were read, each once."""
        return len(self._sequences)

    @property
    def latents(self) -> tuple[int, ...]:
        """Those whose codes at tokens are known."""
        return tuple(self._active)

    def quantile(self, latent: int) -> float | None:
        """Return the 95% quantile of the latent's codes where it is active; None if nowhere.

        Of codes with signs the positive ones: a latent stands for a value that it rises with.
        """
        active = torch.cat(self._active[latent])
        return float(torch.quantile(active, QUANTILE)) if len(active) else None

    def with_codes(self, rows: Sequence[int], settings: Sequence[LatentSetting]) -> list[LogOdds]:
        """Log-odds at some of the prompts, for each setting of a latent's codes at their tokens.

        Special tokens are left as they are.
        """
        places = [self._place[row] for row in rows]
        wanted = set(places)
        log_odds = [self.clean.copy() for _ in settings]
        chosen = [one for one in self._sequences if one.prompt in wanted]
        with torch.no_grad():
            for start in range(0, len(chosen), self._batch_size):
                self._answer_with(chosen[start : start + self._batch_size], settings, log_odds)
        return [each[places] for each in log_odds]

    def _read(self, asked: list[_Question], read: Callable[[Tensor], Tensor]) -> None:
        tokens = pad_sequence([one.tokens for one in asked], batch_first=True)
        acts = read(tokens)
        codes = self._steps.encoded(acts)[..., list(self._active)]
        batch = [
            _Sequence(
                **vars(one),
                acts=acts[i, : len(one.tokens)].clone(),
                codes=codes[i, : len(one.tokens)].clone(),
            )
            for i, one in enumerate(asked)
        ]
        is_set = pad_sequence([one.is_set for one in batch], batch_first=True)
        codes = codes.float().cpu()
        for place, latent in enumerate(self._active):
            of_latent = codes[..., place][is_set]
            self._active[latent].append(of_latent[of_latent > 0])
        self._answer(batch, acts, self.clean)
        self._sequences += batch

    def _answer_with(
        self, batch: list[_Sequence], settings: Sequence[LatentSetting], log_odds: list[LogOdds]
    ) -> None:
        acts = pad_sequence([one.acts for one in batch], batch_first=True)
        is_set = pad_sequence([one.is_set for one in batch], batch_first=True).to(
            attributes.device(self._sae)
        )
        codes = pad_sequence([one.codes for one in batch], batch_first=True)
        for (latent, code), into in zip(settings, log_odds, strict=True):
            column = codes[..., self.latents.index(latent)]
            changed = torch.where(is_set, torch.full_like(column, code), column)
            is_changed = (changed != column).any(1).cpu()
            kept = is_changed.nonzero()[:, 0].tolist()
            if not kept:  # an unchanged sequence has its clean log-odds
                continue
            step = self._steps.step(acts[kept], latent, column[kept], changed[kept])
            self._answer([batch[i] for i in kept], acts[kept] + step, into)

    def _answer(
        self, batch: Sequence[_Sequence], acts: Float[Tensor, "n n_pos d_in"], into: LogOdds
    ) -> None:
        last = torch.tensor([len(one.tokens) - 1 for one in batch])
        tokens = pad_sequence([one.tokens for one in batch], batch_first=True)
        logits = self._continue(tokens, acts[:, : tokens.shape[1]], last)
        for one, of_one in zip(batch, logits.double().cpu(), strict=True):
            into[one.prompt, one.columns] = log_odds(of_one[one.words]).numpy()


def log_odds(logits: Float[Tensor, "... n_values"]) -> Float[Tensor, "... n_values"]:
    """Log-odds of each of some words against the others, in nats; what else is said cancels."""
    n_values = logits.shape[-1]
    others = logits[..., None, :].expand(*logits.shape, n_values)
    itself = torch.eye(n_values, dtype=torch.bool, device=logits.device)
    return logits - others.masked_fill(itself, -torch.inf).logsumexp(-1)


def continuation(
    model: HookedTransformer, hook_name: str
) -> Callable[[Tensor, Tensor, Tensor], Float[Tensor, "n d_vocab"]]:
    """Return a function that runs the rest of the model from given activations to logits.

    The logits are those at one position of each sequence.

    From the residual stream between two layers the model runs the layers after it; at any other
    hook it runs as a whole, the activations put in place of its own.
    """
    start = layer_after(hook_name)
    n_layers, device, dtype = model.cfg.n_layers, model.cfg.device, model.cfg.dtype

    def run(tokens: Tensor, acts: Tensor, positions: Tensor) -> Tensor:
        acts = acts.to(device=device, dtype=dtype)
        positions = positions.to(acts.device)
        if start is not None:
            last = last_residual(model, acts, start, positions)
        else:
            residual = model.run_with_hooks(
                tokens.to(device),
                stop_at_layer=n_layers,
                prepend_bos=False,
                fwd_hooks=[(hook_name, lambda own, hook: acts.view_as(own))],
            )
            last = residual[torch.arange(len(residual), device=device), positions][:, None]
        return final_logits(model, last, torch.float32)[:, 0]

    return run


def _questions(
    model: HookedTransformer, dataset: FactorDataset, rows: Sequence[int], pooling: Pooling
) -> list[_Question]:
    """Every prompt with every stem, sequences of like length together."""
    read = read_prompts(model, dataset, pooling, model.cfg.n_ctx, rows=rows)
    tokenizer: Any = model.tokenizer
    special = torch.tensor(special_token_ids(tokenizer), dtype=torch.long)
    word_tokens = _OneToken(tokenizer, dataset.name)
    ptr = dataset.table.value_ptr
    questions: list[_Question] = []
    for factor, readout in dataset.readouts.items():
        k = dataset.names.index(factor)
        for prompt, row in enumerate(rows):
            text = f"{dataset.prompts[row]} {readout.stems[row]}"
            tokens = model.to_tokens(text, truncate=False, move_to_device=False)[0].cpu()
            if len(tokens) > model.cfg.n_ctx:
                raise DataError(
                    f"factor dataset '{dataset.name}', prompt {row} with the stem of '{factor}' "
                    f"has {len(tokens)} tokens; the model reads {model.cfg.n_ctx}. Shorten it."
                )
            questions.append(
                _Question(
                    prompt=prompt,
                    columns=slice(int(ptr[k]), int(ptr[k + 1])),
                    words=torch.tensor([word_tokens(word) for word in readout.words[row]]),
                    tokens=tokens,
                    is_set=_from_first_pooled(tokens, read.is_pooled[prompt])
                    & ~torch.isin(tokens, special),
                )
            )
    return sorted(questions, key=lambda one: len(one.tokens))


def _from_first_pooled(
    tokens: Int64[Tensor, " n_pos"], is_pooled: Bool[Tensor, " n_prompt_pos"]
) -> Bool[Tensor, " n_pos"]:
    """Mask the tokens of a prompt with its stem from the first that is pooled on."""
    return torch.arange(len(tokens)) >= int(is_pooled.nonzero()[0])


class _OneToken:
    """The token of a word."""

    def __init__(self, tokenizer: Any, dataset: str) -> None:
        self._tokenizer, self._dataset = tokenizer, dataset
        self._known: dict[str, int] = {}

    def __call__(self, word: str) -> int:
        if word not in self._known:
            tokens = self._tokenizer(word, add_special_tokens=False)["input_ids"]
            if len(tokens) != 1 or tokens[0] == self._tokenizer.unk_token_id:
                raise DataError(
                    f"factor dataset '{self._dataset}': the later word '{word}' is "
                    f"{len(tokens)} tokens of this model, or unknown to it; it must be one. Name "
                    "other words, or leave the readout out."
                )
            self._known[word] = tokens[0]
        return self._known[word]
