"""Estimates of whether a run fits common GPUs, and how long its training takes there.

Arithmetic from the configuration alone. A matrix product of [n, a] and [a, b] is 2 n a b
operations, and its backward pass twice that again:

- language model: 2 * parameters of the layers up to the hook, for each token read; attention over
  the context is left out. A row of a batch is a token, since no position is used twice; of pairs
  of last positions, a whole text is read for a row (`TOKENS_OF_A_TEXT`).
- SAE: 3 * 2 * 2 * rows * d_in * d_sae. A mixture is half a batch, encoded once more, with a
  gradient on the weights alone.
- terms: 3 * 2 * n_pairs * latents * n, with n the pairs or the latents of which each is compared
  with each; measuring their gradients is one pass to the encoder for each, every
  `training.weighting.every` steps.

These are divided by `SHARE_OF_PEAK` of the GPU's peak for the type that each is computed in:
bfloat16 for a model in half precision and for the SAE under `training.autocast`, float32 for all
else, the terms included. Evaluation, calibration, reading of text and checkpoints are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from csae_bench.config import Contrastive, RunConfig, Stage, TrainedSae
from csae_bench.config.loss_terms import MixingSettings, TermSettings
from csae_bench.hardware import memory
from csae_bench.models import ModelInfo
from csae_bench.results.identity import hook_layer
from csae_bench.saes.curriculum import Curriculum

SHARE_OF_PEAK = 0.4
"""Fraction of a GPU's peak that training is assumed to reach."""

TOKENS_OF_A_TEXT = 32
"""Assumed length of a paraphrase if only its last position is used."""


@dataclass(frozen=True)
class Gpu:
    """A GPU by its published figures."""

    name: str
    memory_gib: int
    bfloat16_tflops: float
    """Peak of dense matrix products in bfloat16, summed in float32."""
    float32_tflops: float
    """Peak in float32, without TF32, which torch leaves off."""


GPUS = (
    Gpu("RTX 4090", 24, 165, 83),
    Gpu("A100", 80, 312, 19.5),
    Gpu("H100", 80, 989, 67),
)


@dataclass(frozen=True)
class GpuEstimate:
    """Estimate of a run on a GPU."""

    gpu: str
    memory_gib: int
    """Memory of the GPU."""
    needed_gib: float
    fits: bool
    training_hours: float
    bfloat16_tflops: float
    """Peak that was assumed."""
    float32_tflops: float
    """Peak that was assumed."""
    share_of_peak: float = SHARE_OF_PEAK

    def __str__(self) -> str:
        verdict = "fits" if self.fits else "does not fit"
        return (
            f"{self.gpu}, {self.memory_gib} GB: {verdict}, {self.needed_gib:.1f} GiB needed; "
            f"training takes about {_duration(self.training_hours)} at "
            f"{self.share_of_peak:.0%} of its peak ({self.bfloat16_tflops:g} TFLOP/s in bfloat16, "
            f"{self.float32_tflops:g} in float32)"
        )


@dataclass(frozen=True)
class Operations:
    """Floating-point operations, by data type."""

    bfloat16: float = 0.0
    float32: float = 0.0

    def __add__(self, other: Operations) -> Operations:
        return Operations(self.bfloat16 + other.bfloat16, self.float32 + other.float32)

    def __mul__(self, factor: float) -> Operations:
        return Operations(self.bfloat16 * factor, self.float32 * factor)

    def hours_on(self, gpu: Gpu) -> float:
        """Time at `SHARE_OF_PEAK` of the GPU's peaks."""
        seconds = self.bfloat16 / gpu.bfloat16_tflops + self.float32 / gpu.float32_tflops
        return seconds / (SHARE_OF_PEAK * 1e12 * 3600)


def gpu_estimates(
    config: RunConfig, model: ModelInfo | None, peak_bytes: float
) -> list[GpuEstimate]:
    """Return an estimate for each GPU of `GPUS`; the peak memory is from `memory.estimate`."""
    operations = training_operations(config, model)
    return [
        GpuEstimate(
            gpu=gpu.name,
            memory_gib=gpu.memory_gib,
            needed_gib=round(peak_bytes / memory.GIB, 2),
            fits=peak_bytes <= gpu.memory_gib * memory.GIB,
            training_hours=float(f"{operations.hours_on(gpu):.3g}"),
            bfloat16_tflops=gpu.bfloat16_tflops,
            float32_tflops=gpu.float32_tflops,
        )
        for gpu in GPUS
    ]


def training_operations(config: RunConfig, model: ModelInfo | None) -> Operations:
    """Return the operations of all steps of a training; none for an SAE that is not trained.

    Args:
        model: None for generated activations, whose making is not counted.
    """
    sae = config.sae
    if not isinstance(sae, TrainedSae):
        return Operations()
    stages = Curriculum.of(config)
    d_in = model.d_model if model is not None else getattr(config.activations, "d_in", 0)
    total = Operations()
    for stage, length in zip(stages.stages, stages.lengths, strict=True):
        terms = stages.objective(sae.active_terms(), stage) if isinstance(sae, Contrastive) else {}
        step = _sae_step(config, sae, d_in, terms) + _terms_step(config, sae, terms)
        if model is not None:
            step += _model_step(config, model, stage)
        total += step * length
    return total


def _model_step(config: RunConfig, model: ModelInfo, stage: Stage) -> Operations:
    rows = config.training.batch_size
    shares = config.pairs.shares(stage.pairs)
    tokens = rows * shares.get("same_sequence", 0.0)
    for kind in ("paraphrase", "minimal"):
        last = getattr(config.pairs, kind).positions == "last"
        tokens += rows * shares.get(kind, 0.0) * (TOKENS_OF_A_TEXT if last else 1)
    embeddings = 2 * model.d_model * model.d_vocab
    n_layers = hook_layer(config.hook_name or model.default_hook_name) + 1
    parameters = (model.n_parameters - embeddings) / model.n_layers * n_layers
    operations = 2.0 * parameters * tokens
    half = config.model_dtype != "float32"
    return Operations(bfloat16=operations) if half else Operations(float32=operations)


def _sae_step(
    config: RunConfig, sae: TrainedSae, d_in: int, terms: Mapping[str, TermSettings]
) -> Operations:
    product = 2.0 * config.training.batch_size * d_in * sae.d_sae
    operations = 3 * 2 * product
    operations += product * sum(isinstance(term, MixingSettings) for term in terms.values())
    if config.training.weighting.kind in ("ratio", "gradnorm") and terms:
        operations += (len(terms) + 1) * product / config.training.weighting.every
    half = config.training.autocast or sae.dtype == "bfloat16"
    return Operations(bfloat16=operations) if half else Operations(float32=operations)


def _terms_step(
    config: RunConfig, sae: TrainedSae, terms: Mapping[str, TermSettings]
) -> Operations:
    n_pairs = config.training.batch_size // 2
    return Operations(
        float32=sum(
            3 * 2.0 * compared.all_with_all * compared.n_latents * n_pairs
            for term in terms.values()
            for compared in [memory.compared(term, n_pairs=n_pairs, d_sae=sae.d_sae)]
        )
    )


def _duration(hours: float) -> str:
    for size, unit in ((1.0, "hours"), (1 / 60, "minutes")):
        if hours >= size:
            return f"{hours / size:.{1 if hours < 10 * size else 0}f} {unit}"
    return f"{hours * 3600:.0f} seconds"
