"""Logits and activations of the language model at given prompts."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from torch import Tensor

if TYPE_CHECKING:
    from transformers import Gemma2ForCausalLM

_BATCH = 64


def next_logits(model: "Gemma2ForCausalLM", tokenizer: Tokenizer, prompts: Sequence[str]) -> Tensor:
    """Logits of the token after each prompt: [n_prompts, vocab]."""
    out = torch.empty(len(prompts), model.config.vocab_size)
    for rows, tokens, lengths in _batches(tokenizer, prompts):
        with torch.no_grad():
            hidden = model.model(tokens).last_hidden_state
            # the soft-cap is left out: it is monotonic, and only the order is read
            out[rows] = model.lm_head(hidden[torch.arange(len(rows)), lengths - 1])
    return out


def pooled_activations(
    model: "Gemma2ForCausalLM", tokenizer: Tokenizer, prompts: Sequence[str], layer: int
) -> Tensor:
    """Residual stream after `layer`, averaged over the tokens but `<bos>`: [n_prompts, d_model]."""
    out = torch.empty(len(prompts), model.config.hidden_size)
    for rows, tokens, lengths in _batches(tokenizer, prompts):
        with torch.no_grad():
            states = model.model(tokens, output_hidden_states=True).hidden_states
        out[rows] = pooled_states(states[layer + 1], lengths)
    return out


def pooled_states(states: Tensor, lengths: Tensor) -> Tensor:
    """[n, n_pos, d_model] averaged over the tokens but `<bos>` and padding: [n, d_model]."""
    at = torch.arange(states.shape[1])
    kept = ((at >= 1) & (at < lengths[:, None])).unsqueeze(-1)
    return (states * kept).sum(1) / kept.sum(1)


def right_padded(ids: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """(tokens, lengths): causal attention lets padding on the right change nothing before it."""
    lengths = [len(row) for row in ids]
    padded = [row + [0] * (max(lengths) - len(row)) for row in ids]
    return torch.tensor(padded), torch.tensor(lengths)


def _batches(
    tokenizer: Tokenizer, prompts: Sequence[str]
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """(rows, right-padded tokens, lengths), prompts of like length together."""
    ids = [e.ids for e in tokenizer.encode_batch(list(prompts))]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        yield rows, *right_padded([ids[i] for i in rows])
