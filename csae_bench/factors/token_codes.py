"""An SAE's codes at the tokens of some prompts, to show what a latent fires on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch.nn.utils.rnn import pad_sequence

from csae_bench.factors.dataset import FactorDataset
from csae_bench.factors.tokens import read_prompts
from csae_bench.pairs import activations_at
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


class TokenCodes(NamedTuple):
    """A prompt's tokens and the codes of some latents there; `<bos>` is left out."""

    tokens: tuple[str, ...]
    """As the tokenizer cuts the text, spaces included."""
    codes: Float[NDArray[Any], "n_tokens n_latents"]
    """0 at special tokens, which no code is pooled from."""


def codes_at_tokens(
    sae: AnySae,
    model: HookedTransformer,
    dataset: FactorDataset,
    hook_name: str,
    rows: Sequence[int],
    latents: Sequence[int],
    *,
    batch_size_prompts: int = 64,
) -> dict[int, TokenCodes]:
    """Compute codes of some latents at each token of some prompts, by the prompt's number.

    The model reads these prompts again, up to the hook's layer: to keep every token's codes of
    the first pass would take as much memory as the activations of the whole dataset.

    Raises:
        DataError, ModelError: see `encoding.codes_of_prompts`.
    """
    if not rows:
        return {}
    read = read_prompts(model, dataset, "mean", int(model.cfg.n_ctx), rows=rows)
    activations = activations_at(model, hook_name, device=attributes.device(sae))
    d_head = attributes.d_head(sae, model)
    order = sorted(range(len(rows)), key=lambda i: len(read.tokens[i]))
    by_prompt: dict[int, TokenCodes] = {}
    with torch.no_grad():
        for start in range(0, len(order), batch_size_prompts):
            chosen = order[start : start + batch_size_prompts]
            acts = activations(pad_sequence([read.tokens[i] for i in chosen], batch_first=True))
            acts = acts.unflatten(-1, (-1, d_head)) if d_head else acts
            codes = attributes.encode(sae, acts)[..., list(latents)].float().cpu()
            for i, of_prompt in zip(chosen, codes, strict=True):
                tokens, is_pooled = read.tokens[i], read.is_pooled[i]
                kept = of_prompt[: len(tokens)] * is_pooled[:, None]
                words: Any = model.to_str_tokens(tokens[1:], prepend_bos=False)
                by_prompt[rows[i]] = TokenCodes(tuple(words), kept[1:].numpy())
    return by_prompt
