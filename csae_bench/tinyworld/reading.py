"""What the language model says and thinks at given prompts."""

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
        at = torch.arange(tokens.shape[1])
        kept = ((at >= 1) & (at < lengths[:, None])).unsqueeze(-1)
        out[rows] = (states[layer + 1] * kept).sum(1) / kept.sum(1)
    return out


def _batches(
    tokenizer: Tokenizer, prompts: Sequence[str]
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """(rows, right-padded tokens, lengths), prompts of like length together."""
    ids = [e.ids for e in tokenizer.encode_batch(list(prompts))]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        lengths = [len(ids[i]) for i in rows]
        # causal attention: padding on the right changes nothing before it
        padded = [ids[i] + [0] * (max(lengths) - len(ids[i])) for i in rows]
        yield rows, torch.tensor(padded), torch.tensor(lengths)
