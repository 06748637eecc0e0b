"""Estimate of the memory that a run needs, from its configuration alone."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import NamedTuple

from csae_bench.config import (
    Contrastive,
    GeneratorActivations,
    ModelActivations,
    RunConfig,
    TrainedSae,
)
from csae_bench.config.loss_terms import MixingSettings, TermSettings
from csae_bench.models import ModelInfo
from csae_bench.saes.curriculum import Curriculum

GIB = 2**30
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
LIBRARIES_BYTES = 1.2 * GIB
"""Memory that torch, transformers and SAELens take by themselves, as measured."""


OF_EACH_SAE = ("SAE", "optimizer")
"""Parts of training that each of several SAEs holds all the time; the others are held once, or by
the one that makes a step."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes by part, for training and for evaluation, which do not happen at the same time."""

    training: dict[str, float]
    evaluation: dict[str, float]

    @property
    def peak(self) -> float:
        """The larger of the two sums."""
        return max(sum(self.training.values()), sum(self.evaluation.values()))


def estimate(
    config: RunConfig, model: ModelInfo | None, *, eval_batch: int, eval_context: int
) -> MemoryEstimate:
    """Estimate the peak memory of a run, in bytes by part.

    Args:
        model: None for generated activations.
        eval_batch: prompts in one forward pass of an eval.
        eval_context: tokens in a prompt of an eval.
    """
    sae, activations, rows = config.sae, config.activations, config.training.batch_size
    d_in = activations.d_in if isinstance(activations, GeneratorActivations) else 0
    weights = 0.0
    if model is not None:
        d_in = model.d_model
        weights = float(model.n_parameters * DTYPE_BYTES[config.model_dtype])
    n_latents = d_sae(config, d_in)
    sae_bytes = 4.0 * (2 * d_in * n_latents + d_in + 2 * n_latents)
    training: dict[str, float] = {"libraries": LIBRARIES_BYTES, "model weights": weights}
    if isinstance(sae, TrainedSae):
        training |= {
            "SAE": sae_bytes,
            "gradients": sae_bytes,
            "optimizer": 2 * sae_bytes,
            # pre-activations, codes, their gradients, and what top-k keeps
            "activations of the SAE": 4.0 * 5 * rows * n_latents + 4.0 * 6 * rows * d_in,
            "contrastive terms": _terms_bytes(config, sae, d_in),
            # each kind has a buffer of its own, and shuffling makes a second copy
            "pairs in the buffer": len(config.pairs.shares())
            * (2 * 8.0 * d_in * activations.pairs_in_buffer),
        }
    if isinstance(activations, ModelActivations) and model is not None:
        tokens = activations.batch_size_prompts * activations.context_size
        training["forward pass of the model"] = 4.0 * tokens * model.d_model * 12
    evaluation: dict[str, float] = {
        "libraries": LIBRARIES_BYTES,
        "model weights": weights,
        "SAE": 2 * sae_bytes,
    }
    if model is not None:
        tokens = eval_batch * eval_context
        # clean, with the SAE and ablated, each with its softmax
        evaluation["logits"] = 6.0 * tokens * model.d_vocab * DTYPE_BYTES[config.model_dtype]
        evaluation["codes"] = 3.0 * 4 * tokens * n_latents
    return MemoryEstimate(training, evaluation)


def term_bytes(term: TermSettings, *, n_pairs: int, d_sae: int) -> float:
    """Return an upper bound of the bytes that a contrastive term adds to a training step.

    A term that compares two views holds both in float32, of its block or its sample of latents, and
    once more normalised; one that compares all with all holds a matrix of similarities, its mask,
    its softmax and their gradient. A term that looks at single latents holds masks. A mixture is
    encoded: two more arrays [n_pairs, d_sae], and their gradients. All latents are counted of a
    term that picks them by what they do, so that small SAEs were measured at half of this.
    """
    needed = 0.0
    if hasattr(term, "on"):
        objects = compared(term, n_pairs=n_pairs, d_sae=d_sae)
        needed += 4.0 * 2 * (2 * n_pairs * objects.n_latents) + 4.0 * 4 * objects.all_with_all**2
    else:
        needed += 3.0 * 2 * n_pairs * d_sae
    if isinstance(term, MixingSettings):
        needed += 4.0 * 4 * n_pairs * d_sae
    return needed


class ComparedObjects(NamedTuple):
    """Upper bound of the objects that a term compares in a step."""

    n_latents: int
    """Latents that take part."""
    all_with_all: int
    """Number of objects that are compared pairwise: pairs, latents, or none."""


def compared(term: TermSettings, *, n_pairs: int, d_sae: int) -> ComparedObjects:
    """Return sizes by a term's settings: a `latent_fraction` of all latents, across which pairs are
    compared, or a sample of `n_latents`, which are compared across pairs."""
    if (share := getattr(term, "latent_fraction", None)) is not None:
        return ComparedObjects(max(1, round(share * d_sae)), n_pairs)
    if (sample := getattr(term, "n_latents", None)) is not None:
        return ComparedObjects(min(sample, d_sae), min(sample, d_sae))
    return ComparedObjects(d_sae, 0)


def largest_batch(
    config: RunConfig, model: ModelInfo, *, available: float, eval_context: int
) -> int:
    """Return the largest power-of-two batch of prompts that fits `available` bytes; 0: none."""
    batch = 0
    for exponent in range(10):
        candidate = 2**exponent
        needed = estimate(config, model, eval_batch=candidate, eval_context=eval_context)
        if sum(needed.evaluation.values()) > available:
            break
        batch = candidate
    return batch


def d_sae(config: RunConfig, d_in: int) -> int:
    """Return the number of latents of the SAE that a configuration describes."""
    sae = config.sae
    return sae.d_sae if isinstance(sae, TrainedSae) else sae.n_latents(d_in)


def available_bytes(device: str) -> float | None:
    """Free memory of a device: RAM for the CPU, a GPU's own; None if there is no such device."""
    if device == "cpu":
        import psutil

        return float(psutil.virtual_memory().available)
    if device.startswith("cuda"):
        index = device.partition(":")[2] or "0"
        command = [
            "nvidia-smi",
            "--query-gpu=memory.free",
            "--format=csv,noheader,nounits",
            "-i",
            index,
        ]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
            return float(answer.stdout.split()[0]) * 2**20
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            return None
    return None


def _terms_bytes(config: RunConfig, sae: TrainedSae, d_in: int) -> float:
    """Return the bytes that the terms of the most demanding stage add to a step."""
    if not isinstance(sae, Contrastive) or not sae.active_terms():
        return 0.0
    n_pairs = config.training.batch_size // 2
    stages = Curriculum.of(config)
    measured = config.training.weighting.kind in ("ratio", "gradnorm")
    # a second gradient on the encoder, whose norm is measured
    gradients = 4.0 * d_in * sae.d_sae if measured else 0.0
    return gradients + max(
        sum(
            term_bytes(term, n_pairs=n_pairs, d_sae=sae.d_sae)
            for term in stages.objective(sae.active_terms(), stage).values()
        )
        for stage in stages.stages
    )
