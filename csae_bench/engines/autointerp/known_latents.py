"""Latents whose explanation is known, on which a judge is scored itself.

Such a latent fires on the words that say one value of one factor, and nowhere else. A judge that is
good for anything explains it and predicts it; latents that fire as often and anywhere it cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from csae_bench.engines.autointerp.messages import words_of
from csae_bench.engines.autointerp.world import World

MAX_TOKENS = 50_000
"""Tokens of the text on which a judge is scored."""
MIN_FIRINGS = 40
"""Tokens on which a known latent fires at least; SAE-Bench shows up to 19 of them."""
WEAKEST, STRONGEST = 0.5, 1.5
"""Range of the codes: equal ones SAE-Bench takes for a dead latent."""


class KnownLatents(NamedTuple):
    """Codes of known latents, and of as many that fire anywhere."""

    values: tuple[str, ...]
    """The value that each latent stands for."""
    known: Float[NDArray[np.float32], "n_sequences context_size n_latents"]
    random: Float[NDArray[np.float32], "n_sequences context_size n_latents"]
    """The same codes on other tokens, each latent's on its own."""


def known_latents(
    tokens: Sequence[Sequence[str]],
    is_special: Bool[NDArray[Any], "n_sequences context_size"],
    world: World,
    *,
    n_latents: int,
    rng: np.random.Generator,
) -> KnownLatents:
    """Return codes on a text, of at most `n_latents` values that are drawn at random.

    Args:
        tokens: as the tokenizer cuts the text, spaces included.
        is_special: tokens on which no latent fires.
    """
    says = np.stack([_said(row, world) for row in tokens]) & ~is_special[..., None]
    often = np.flatnonzero(says.sum((0, 1)) >= MIN_FIRINGS)
    drawn = np.sort(rng.permutation(often)[:n_latents])
    strength = rng.uniform(WEAKEST, STRONGEST, size=(*says.shape[:2], len(drawn)))
    known = (says[..., drawn] * strength).astype(np.float32)
    elsewhere = np.zeros_like(known)
    for latent in range(len(drawn)):
        elsewhere[~is_special, latent] = rng.permutation(known[~is_special, latent])
    return KnownLatents(tuple(world.values[i] for i in drawn.tolist()), known, elsewhere)


def _said(tokens: Sequence[str], world: World) -> Bool[NDArray[Any], "context_size n_values"]:
    """Return the values that the word of each token says."""
    text = "".join(tokens)
    words = words_of(text)
    says = world.read([[word.text for word in words]]).says
    word_at = np.full(len(text) + 1, len(words))
    for i, word in enumerate(words):
        word_at[word.start : word.end] = i
    padded = np.concatenate([says, np.zeros((1, says.shape[1]), dtype=bool)])
    ends = np.cumsum([len(token) for token in tokens])
    return np.stack(
        [
            padded[word_at[end - len(token) : end]].any(0)
            for token, end in zip(tokens, ends.tolist(), strict=True)
        ]
    )
