"""What is measured: Gemma-2-2B's true shape, and the same at toy size for a CPU."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.contrastive_step import OBJECTIVE

if TYPE_CHECKING:
    from sae_lens.saes.sae import TrainingSAE
    from transformer_lens import HookedTransformer

    from csae_bench.config import RunConfig
    from csae_bench.models import ModelInfo

ARCHITECTURE = "contrastive_batchtopk"
STOCK = "batchtopk"
EMBEDDING_STD = 3.0
"""Of a random model's embeddings: about half of what its layers add to the residual stream."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Sizes and repetitions of every section."""

    model: str
    """Name of the model whose shape is taken; its weights are random."""
    model_dtype: str
    hook_name: str
    widths: dict[str, int]
    """d_sae by its name in the figures."""
    k: int
    batch_size: int
    context_size: int
    batch_size_prompts: int
    pairs_in_buffer: int
    d_in: int
    """Of the steps that are timed on generated activations."""
    matmul: int
    """Side of the square matrices of which the card's rates are measured."""
    copy_bytes: int
    n_rounds: int
    """Timed rounds of steps."""
    core_batches: tuple[int, int]
    """Batches of core's two phases that are timed: reconstruction, sparsity and variance."""
    core_batches_in_full: tuple[int, int]
    """Those that their times are scaled to."""
    core_prompts: int
    """Sequences in a batch of core."""
    n_factor_prompts: int
    """Prompts of the factor dataset that are encoded, at most."""
    n_metric_prompts: tuple[int, int]
    """Prompts of the two samples that the factor evals are timed on."""
    compiles: bool
    """Whether what is handed to `torch.compile` is compiled, or runs as it is."""

    @property
    def steps_in_cycle(self) -> int:
        """Steps that one filling of the buffer's half serves: the model runs once in so many."""
        return max(1, self.pairs_in_buffer // 2 // (self.batch_size // 2))

    def config(self, width: str, *, n_steps: int, autocast: bool = False) -> RunConfig:
        """Return the configuration of a training on activations of the model."""
        from csae_bench.config import RunConfig

        return RunConfig.model_validate(
            {
                "model": self.model,
                "hook_name": self.hook_name,
                "model_dtype": self.model_dtype,
                "activations": {
                    "context_size": self.context_size,
                    "batch_size_prompts": self.batch_size_prompts,
                    "pairs_in_buffer": self.pairs_in_buffer,
                },
                "sae": self.sae(width),
                "training": {
                    "n_tokens": n_steps * self.batch_size,
                    "batch_size": self.batch_size,
                    "learning_rate": 3e-4,
                    "autocast": autocast,
                },
            }
        )

    def sae(self, width: str, architecture: str = ARCHITECTURE) -> dict[str, Any]:
        """Return the settings of an SAE; the contrastive one has `contrastive_step`'s objective."""
        settings = {"architecture": architecture, "d_sae": self.widths[width], "k": self.k}
        return settings if architecture == STOCK else {**settings, "losses": OBJECTIVE}


TRUE = Size(
    model="google/gemma-2-2b",
    model_dtype="bfloat16",
    hook_name="blocks.19.hook_resid_post",
    widths={"16k": 16384, "65k": 65536},
    k=40,
    batch_size=4096,
    context_size=128,
    batch_size_prompts=64,
    pairs_in_buffer=32_768,
    d_in=2304,
    matmul=8192,
    copy_bytes=4 * 2**30,
    n_rounds=5,
    core_batches=(10, 60),
    core_batches_in_full=(200, 2000),
    core_prompts=16,
    n_factor_prompts=10**6,
    n_metric_prompts=(96, 288),
    compiles=True,
)

SMALL = Size(
    model="tiny-gemma2-it",
    model_dtype="float32",
    hook_name="blocks.2.hook_resid_post",
    widths={"16k": 128, "65k": 256},
    k=8,
    batch_size=128,
    context_size=32,
    batch_size_prompts=8,
    pairs_in_buffer=256,
    d_in=32,
    matmul=128,
    copy_bytes=2**20,
    n_rounds=1,
    core_batches=(2, 3),
    core_batches_in_full=(4, 6),
    core_prompts=4,
    n_factor_prompts=64,
    n_metric_prompts=(60, 120),
    compiles=False,  # compiling takes longer than all the rest
)


def size(is_small: bool) -> Size:
    """Return the sizes to run at."""
    return SMALL if is_small else TRUE


def random_model(of: Size, device: str) -> HookedTransformer:
    """Make a model of the true shape with random weights, on the device, without the hub.

    Its tokenizer is the bundled one, whose ids are a part of the model's: what a model costs does
    not depend on which tokens it reads. It predicts the token that it has just read: of a model
    that predicts nothing the losses with and without ablation are equal in bfloat16, and core
    divides by their difference.
    """
    import torch
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    from csae_bench import tinyworld
    from csae_bench.models.description import model_shape
    from csae_bench.models.loading import DTYPES
    from csae_bench.models.names import resolve
    from csae_bench.models.tokenizers import read_tokenizer

    cfg = HookedTransformerConfig.from_dict(
        {
            **model_shape(resolve(of.model)),
            "model_name": of.model,
            "device": device,
            "dtype": DTYPES[of.model_dtype],
        }
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "HookedTransformer", DeprecationWarning)
        model = HookedTransformer(cfg, read_tokenizer(tinyworld.model_dir(), cfg.d_vocab))
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            kind = name.rpartition(".")[2]
            if kind == "w":  # of a norm
                weights.fill_(1.0)
            elif kind.startswith("b"):
                weights.zero_()
            else:
                weights.normal_(std=cfg.initializer_range, generator=generator)
        model.embed.W_E.mul_(EMBEDDING_STD / cfg.initializer_range)
        torch.mul(model.embed.W_E.T, cfg.initializer_range / EMBEDDING_STD, out=model.unembed.W_U)
    return model.eval()


def model_info(of: Size) -> ModelInfo:
    """Describe the model for the forecasts."""
    from csae_bench import models

    return models.describe(of.model)


def make_sae(config: RunConfig, d_in: int, device: str) -> TrainingSAE[Any]:
    """Make the SAE of a configuration; equal ones from equal configurations."""
    import torch

    from csae_bench.config import TrainedSae
    from csae_bench.saes.building import training_sae

    assert isinstance(config.sae, TrainedSae), "only SAEs that are trained are asked for"
    torch.manual_seed(config.seed)
    return training_sae(config.sae, d_in=d_in, device=device, metadata={})
