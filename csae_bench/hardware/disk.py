"""Estimate of the disk space that a run needs for its results, from its configuration alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from csae_bench.config import Contrastive, GeneratorActivations, TrainedSae
from csae_bench.hardware.memory import GIB, d_sae
from csae_bench.runs.resolving import ResolvedSae

MIB = 2**20

_RESULT_BYTES, _RESULT_BYTES_A_LATENT = MIB, 800
"""An eval's JSON, pictures and pages, at most 0.6 MiB as measured, and what core says of a latent,
with the page of probes."""

_LOG_BYTES, _LOG_BYTES_A_TERM = 300, 120
"""A line of the training log, and the part that a term adds to it."""


def needed_bytes(resolved_sae: ResolvedSae) -> dict[str, float]:
    """Return the bytes that a run adds to its results folder at the same time, by part.

    While a state to resume from is replaced, its predecessor is there too. What a training that was
    interrupted left is taken off.
    """
    config, needed = resolved_sae.config, dict[str, float]()
    if resolved_sae.of is not None:
        needed |= {
            f"{part} of {resolved_sae.of.sae_id}": n for part, n in _made(resolved_sae.of).items()
        }
    needed |= _made(resolved_sae)
    per_eval = _RESULT_BYTES + _RESULT_BYTES_A_LATENT * d_sae(config, _d_in(resolved_sae))
    needed["results"] = float(per_eval * len(config.evals))
    return needed


def free_bytes(folder: Path) -> int:
    """Free space of the disk below a folder that is there, for this user."""
    return shutil.disk_usage(folder).free


def cache_bytes(resolved_sae: ResolvedSae, folder: Path) -> float:
    """Return the bytes by which training an SAE may make the cache of activations grow.

    Args:
        folder: of the cache, whose limit is that of all that is there already.
    """
    config = resolved_sae.config
    if resolved_sae.is_ready or not config.is_trained or not config.activations.cache_gib:
        return 0.0
    width = 4 if config.model_dtype == "float32" else 2
    activations = float(config.training.n_tokens * _d_in(resolved_sae) * width)
    return min(activations, max(0.0, config.activations.cache_gib * GIB - _size(folder)))


def _made(resolved_sae: ResolvedSae) -> dict[str, float]:
    """Return the space needed to make the SAE's checkpoint; empty if it exists or is a folder's."""
    if resolved_sae.is_ready:
        return {}
    config, sae = resolved_sae.config, resolved_sae.config.sae
    activations, training, d_in = config.activations, config.training, _d_in(resolved_sae)
    width = d_sae(config, d_in)
    weights = 4.0 * (2 * d_in * width + d_in + 2 * width)
    if not isinstance(sae, TrainedSae):
        return {"weights": weights}
    n_terms = len(sae.active_terms()) if isinstance(sae, Contrastive) else 0
    # weights, Adam's two moments, and the pairs that are waiting, anchor and positive of each
    pairs = len(config.pairs.shares()) * 8.0 * d_in * activations.pairs_in_buffer
    state = 3 * weights + pairs + MIB
    n_saves = training.n_steps // training.checkpoint_every if training.checkpoint_every else 0
    states = min(n_saves, 2) * state
    line = _LOG_BYTES + n_terms * _LOG_BYTES_A_TERM
    return {
        "states to resume from": max(0.0, states - _size(resolved_sae.checkpoint)),
        # a second state is gone when the weights are written, and larger
        "weights": weights if n_saves < 2 else 0.0,
        "training log": training.n_steps / training.log_every * line,
    }


def _d_in(resolved_sae: ResolvedSae) -> int:
    activations = resolved_sae.config.activations
    if resolved_sae.model is not None:
        return resolved_sae.model.d_model
    return activations.d_in if isinstance(activations, GeneratorActivations) else 0


def _size(folder: Path) -> int:
    files = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in files)
