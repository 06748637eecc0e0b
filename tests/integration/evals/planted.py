"""An SAE on the bundled model whose latents are the true directions of factor values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sae_lens import StandardSAE, StandardSAEConfig

from csae_bench.factors import FactorDataset, FactorSplit, Readout, open_factors
from csae_bench.factors.encoding import codes_of_prompts

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

Array = NDArray[Any]


def part_of_tinyworld(split: FactorSplit, n: int) -> FactorDataset:
    """n prompts of the tinyworld grid at random, as the dataset `part`."""
    grid = open_factors("tinyworld", split=split)
    rows = np.sort(np.random.default_rng(0).permutation(grid.n)[:n])
    return replace(
        grid,
        name="part",
        prompts=tuple(grid.prompts[row] for row in rows),
        factors=grid.factors[rows],
        templates=tuple(grid.templates[row] for row in rows),
        readouts={
            factor: Readout(
                stems=tuple(readout.stems[row] for row in rows),
                words=tuple(readout.words[row] for row in rows),
            )
            for factor, readout in grid.readouts.items()
        },
    )


def planted_sae(model: HookedTransformer, hook_name: str, n_random: int = 60) -> StandardSAE:
    """A latent for each factor value, in order, then latents in random directions as long.

    Decoder: the difference between the mean activations of training prompts with and without the
    value. Encoder: the linear discriminant, so that a latent is 1 more where its value is had.
    """
    train = part_of_tinyworld("train", 900)
    d_in = int(model.cfg.d_model)
    reader = StandardSAE(StandardSAEConfig(d_in=d_in, d_sae=1))
    encoded = codes_of_prompts(reader, model, train, hook_name).acts
    assert encoded is not None
    acts = encoded.astype(np.float64)
    mean, covariance = acts.mean(0), np.cov(acts.T) + 1e-3 * np.eye(d_in)
    has_value = train.table.one_hot(np.bool_).T
    directions = [acts[one].mean(0) - acts[~one].mean(0) for one in has_value]
    length = np.mean([np.linalg.norm(direction) for direction in directions])
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(n_random, d_in))
    directions += list(length * noise / np.linalg.norm(noise, axis=1, keepdims=True))
    decoder = np.stack(directions)
    encoder = np.linalg.solve(covariance, decoder.T)
    encoder /= (encoder * decoder.T).sum(0)
    codes = (acts - mean) @ encoder
    cuts = np.zeros(len(decoder))
    for latent, one in enumerate(has_value):
        cuts[latent] = (codes[one, latent].mean() + codes[~one, latent].mean()) / 2
    sae = StandardSAE(StandardSAEConfig(d_in=d_in, d_sae=len(decoder)))
    sae.load_state_dict(
        {
            "W_enc": torch.tensor(encoder, dtype=torch.float32),
            "W_dec": torch.tensor(decoder, dtype=torch.float32),
            "b_enc": torch.tensor(-mean @ encoder - cuts, dtype=torch.float32),
            "b_dec": torch.zeros(d_in),
        }
    )
    return sae
