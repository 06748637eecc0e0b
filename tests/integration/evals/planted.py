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


def planted_sae(
    model: HookedTransformer, hook_name: str, n_random: int = 60, *, pooling: Pooling = "last"
) -> StandardSAE:
    """A latent for each factor value, in order, then latents in random directions as long.

    Encoder: the linear discriminant of pooled activations, so that a latent is 1 more where its
    value is had. Decoder: the difference that the value makes where the model says its later word.
    """
    train = replace(part_of_tinyworld("train", 900), pooling=pooling)
    d_in = int(model.cfg.d_model)
    acts = _acts(model, train, hook_name)
    mean, covariance = acts.mean(0), np.cov(acts.T) + 1e-3 * np.eye(d_in)
    has_value = train.table.one_hot(np.bool_).T
    pooled = np.stack([acts[one].mean(0) - acts[~one].mean(0) for one in has_value])
    decoder = _differences_at_answers(model, train, hook_name)
    length = np.linalg.norm(decoder, axis=1).mean()
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(n_random, d_in))
    noise *= length / np.linalg.norm(noise, axis=1, keepdims=True)
    pooled, decoder = np.concatenate([pooled, noise]), np.concatenate([decoder, noise])
    encoder = np.linalg.solve(covariance, pooled.T)
    encoder /= (encoder * pooled.T).sum(0)
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


def _differences_at_answers(
    model: HookedTransformer, dataset: FactorDataset, hook_name: str
) -> Array:
    """[n_values, d_in] mean activation with a value minus without, at the end of its stem."""
    differences: list[Array] = []
    one_hot = dataset.table.one_hot(np.bool_)
    for k, factor in enumerate(dataset.names):
        stems = dataset.readouts[factor].stems
        asked = tuple(f"{p} {stem}" for p, stem in zip(dataset.prompts, stems, strict=True))
        acts = _acts(model, replace(dataset, prompts=asked, pooling="last"), hook_name)
        for column in range(*dataset.table.value_ptr[k : k + 2]):
            has = one_hot[:, column]
            differences.append(acts[has].mean(0) - acts[~has].mean(0))
    return np.stack(differences)


def _acts(model: HookedTransformer, dataset: FactorDataset, hook_name: str) -> Array:
    """[n, d_in] activations in the dataset's own pooling."""
    reader = StandardSAE(StandardSAEConfig(d_in=int(model.cfg.d_model), d_sae=1))
    acts = codes_of_prompts(reader, model, dataset, hook_name).acts
    assert acts is not None
    return acts.astype(np.float64)
