"""SAE-Bench's autointerp eval on latents whose explanation is known: a score of the judge."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from sae_bench.sae_bench_utils.activation_collection import get_bos_pad_eos_mask
from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench.engines.autointerp.judges import Judge
from csae_bench.engines.autointerp.known_latents import MAX_TOKENS, known_latents
from csae_bench.engines.autointerp.world import World
from csae_bench.upstream.autointerp import AutoInterpOutcome, run_on_codes
from csae_bench.upstream.autointerp_text import AutoInterpSettings


class Control(NamedTuple):
    """A judge on latents that fire on one value's words, and on as many random ones."""

    values: tuple[str, ...]
    known: AutoInterpOutcome
    random: AutoInterpOutcome


def judged_control(
    model: HookedTransformer,
    tokens: Int[Tensor, "n_sequences context_size"],
    world: World,
    judge: Judge,
    settings: AutoInterpSettings,
    n_latents: int,
) -> Control | None:
    """Score a judge itself; None where no value is said often enough.

    Raises:
        EvalError: the judge failed.
    """
    read = tokens[: max(1, MAX_TOKENS // tokens.shape[1])]
    latents = known_latents(
        _strings(model, read),
        ~get_bos_pad_eos_mask(read, model.tokenizer).bool().cpu().numpy(),
        world,
        n_latents=n_latents,
        rng=np.random.default_rng(settings.random_seed),
    )
    if not latents.values:
        return None
    known, random = (
        run_on_codes(model, read, torch.from_numpy(codes).to(read.device), judge, settings)
        for codes in (latents.known, latents.random)
    )
    return Control(latents.values, known, random)


def _strings(
    model: HookedTransformer, tokens: Int[Tensor, "n_sequences context_size"]
) -> list[list[str]]:
    """Return each token's text, as SAE-Bench shows it."""
    ids = tokens.unique()
    words: Any = model.to_str_tokens(ids, prepend_bos=False)
    texts = dict(zip(ids.tolist(), words, strict=True))
    return [[texts[token] for token in row] for row in tokens.tolist()]
