"""How much memory a run needs, estimated from its configuration alone."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from csae_bench.config import (
    GeneratorActivations,
    ModelActivations,
    PcaSae,
    RandomSae,
    RunConfig,
    TrainedSae,
)
from csae_bench.models import ModelInfo

GIB = 2**30
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
LIBRARIES_BYTES = 1.2 * GIB
"""What torch, transformers and SAELens take by themselves, as measured."""


@dataclass(frozen=True)
class Estimate:
    """Bytes by part, for training and for evaluation; they do not happen at the same time."""

    training: dict[str, float]
    evaluation: dict[str, float]

    @property
    def peak(self) -> float:
        """The larger of the two sums."""
        return max(sum(self.training.values()), sum(self.evaluation.values()))


def estimate(
    config: RunConfig, model: ModelInfo | None, *, eval_batch: int, eval_context: int
) -> Estimate:
    """Peak memory of a run, in bytes by part.

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
    d_sae = _d_sae(config, d_in)
    sae_bytes = 4.0 * (2 * d_in * d_sae + d_in + 2 * d_sae)
    training: dict[str, float] = {"libraries": LIBRARIES_BYTES, "model weights": weights}
    if isinstance(sae, TrainedSae):
        training |= {
            "SAE": sae_bytes,
            "gradients": sae_bytes,
            "optimizer": 2 * sae_bytes,
            # pre-activations, codes, their gradients, and what top-k keeps
            "activations of the SAE": 4.0 * 5 * rows * d_sae + 4.0 * 6 * rows * d_in,
            # shuffling makes a second copy
            "pairs in the buffer": 2 * 8.0 * d_in * activations.pairs_in_buffer,
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
        evaluation["codes"] = 3.0 * 4 * tokens * d_sae
    return Estimate(training, evaluation)


def largest_batch(
    config: RunConfig, model: ModelInfo, *, available: float, eval_context: int
) -> int:
    """The largest power of two of prompts whose evaluation fits into `available` bytes; 0: none."""
    batch = 0
    for exponent in range(10):
        candidate = 2**exponent
        needed = estimate(config, model, eval_batch=candidate, eval_context=eval_context)
        if sum(needed.evaluation.values()) > available:
            break
        batch = candidate
    return batch


def available_bytes(device: str) -> float | None:
    """Free memory of a device: RAM for the CPU, a GPU's own; None where there is no such device."""
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


def _d_sae(config: RunConfig, d_in: int) -> int:
    sae = config.sae
    if isinstance(sae, TrainedSae | RandomSae):
        return sae.d_sae
    return 2 * (sae.n_components if isinstance(sae, PcaSae) else d_in)
