"""Estimate of the memory that a run needs, from its configuration alone."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
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
N_CHECKED_TEXTS = 16
"""Texts in a forward pass when it is checked that the SAE is alive."""

OF_EACH_SAE = ("SAE", "optimizer")
"""Parts of training that each of several SAEs holds all the time; the others are held once, or by
the one that makes a step."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes by part, for what happens one after the other."""

    training: dict[str, float]
    evaluation: dict[str, float]
    loading: dict[str, float] = field(default_factory=dict[str, float])
    """The model's weights on their way to the device; counted where that is the CPU."""
    checking: dict[str, float] = field(default_factory=dict[str, float])
    """Check that the SAE is alive."""

    @property
    def largest(self) -> tuple[str, dict[str, float]]:
        """Name and parts of what needs most."""
        return max(vars(self).items(), key=lambda phase: sum(phase[1].values()))

    @property
    def peak(self) -> float:
        """The largest of the sums."""
        return sum(self.largest[1].values())


class EvalShape(NamedTuple):
    """Size of an eval's forward passes."""

    batch: int
    """Prompts in one pass."""
    context: int
    """Tokens in a prompt."""
    n_logits: int | None = None
    """Positions of a prompt that logits are computed of; None: all."""
    more_weights: float = 0.0
    """Bytes of other language models that are held meanwhile."""


def estimate(
    config: RunConfig,
    model: ModelInfo | None,
    *,
    eval_batch: int,
    eval_context: int,
    eval_logits: int | None = None,
    more_weights: float = 0.0,
) -> MemoryEstimate:
    """Estimate the peak memory of a run, in bytes by part.

    Args:
        model: None for generated activations.
        eval_batch: prompts in one forward pass of an eval.
        eval_context: tokens in a prompt of an eval.
        eval_logits: positions of a prompt whose logits the eval computes; None: all.
        more_weights: bytes of the eval's own language model, which is held with the run's.
    """
    sae, activations, rows = config.sae, config.activations, config.training.batch_size
    d_in = activations.d_in if isinstance(activations, GeneratorActivations) else 0
    weights = 0.0
    if model is not None:
        d_in = model.d_model
        weights = weights_bytes(model, config.model_dtype)
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
        n_read = activations.batch_size_prompts * activations.context_size
        training["forward pass of the model"] = _pass_bytes(model, n_read)
    evaluation: dict[str, float] = {
        "libraries": LIBRARIES_BYTES,
        "model weights": weights,
        "SAE": 2 * sae_bytes,
    }
    if model is None:
        return MemoryEstimate(training, evaluation)
    tokens = eval_batch * eval_context
    a_logit = model.d_vocab * DTYPE_BYTES[config.model_dtype]
    if more_weights:
        evaluation["weights of the eval's own model"] = more_weights
    # clean, with the SAE and ablated, each with its softmax
    n_logits = eval_batch * (eval_context if eval_logits is None else eval_logits)
    evaluation["logits"] = 6.0 * n_logits * a_logit
    evaluation["codes"] = 3.0 * 4 * tokens * n_latents
    evaluation["forward pass of the model"] = _pass_bytes(model, tokens)
    n_checked = N_CHECKED_TEXTS * activations.context_size
    checking = {
        "libraries": LIBRARIES_BYTES,
        "model weights": weights,
        "SAE": sae_bytes,
        # the product, and two on the way through the soft cap or the softmax
        "logits": 3.0 * n_checked * a_logit,
        "codes": 2.0 * 4 * n_checked * n_latents,
        "forward pass of the model": _pass_bytes(model, n_checked),
    }
    return MemoryEstimate(training, evaluation, _loading(config, model, more_weights), checking)


def weights_bytes(model: ModelInfo, dtype: str) -> float:
    """Return the size of a loaded model."""
    return float(model.n_parameters * DTYPE_BYTES[dtype])


def _pass_bytes(model: ModelInfo, n_tokens: int) -> float:
    """Return what a layer of the model works on."""
    return 4.0 * n_tokens * model.d_model * 12


def _loading(config: RunConfig, model: ModelInfo, more_weights: float) -> dict[str, float]:
    """Return what loading needs on the CPU, where the weights lie in files and in memory."""
    if config.device.startswith("cuda"):
        return {}
    embedding = float(model.d_vocab * model.d_model * DTYPE_BYTES[config.model_dtype])
    weights = weights_bytes(model, config.model_dtype)
    return {
        "libraries": LIBRARIES_BYTES,
        "model weights": weights + more_weights,
        # weights are taken over one by one; Gemma's embedding is read twice, and scaled
        "copy of the embedding": embedding,
    }


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
    config: RunConfig,
    model: ModelInfo,
    *,
    available: float,
    eval_context: int,
    more_weights: float = 0.0,
) -> int:
    """Return the largest power-of-two batch of prompts that fits `available` bytes; 0: none."""
    batch = 0
    for exponent in range(10):
        candidate = 2**exponent
        needed = estimate(
            config,
            model,
            eval_batch=candidate,
            eval_context=eval_context,
            more_weights=more_weights,
        )
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
