"""Small SAEs: made, stepped by hand, and trained with SAELens's own trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from sae_lens import SAETrainer
from sae_lens.config import SAETrainerConfig
from sae_lens.registry import get_sae_training_class
from sae_lens.saes.sae import TrainingSAE
from torch import Tensor

from csae_bench.saes import register
from csae_bench.saes.contrastive import ARCHITECTURES
from csae_bench.saes.pair_ids import PairIds
from csae_bench.saes.step import PairedStepInput

D_IN, D_SAE, N_ROWS, N_STEPS, N_PAIRS = 8, 24, 32, 20, 16
FIELDS: dict[str, dict[str, Any]] = {
    "standard": {"l1_coefficient": 0.1, "l1_warm_up_steps": 5},
    "topk": {"k": 2},
    "batchtopk": {"k": 2},
    "jumprelu": {"l0_coefficient": 0.1, "pre_act_loss_coefficient": 1e-3},
    "matryoshka_batchtopk": {"k": 2, "matryoshka_widths": [6, 24]},
}
"""Backbone -> settings with which its auxiliary losses are at work within 20 steps."""

CONTRASTIVE_FIELDS: dict[str, dict[str, Any]] = {
    "contrastive": {"l1_coefficient": 0.1},
    "contrastive_topk": {"k": 4},
    "contrastive_batchtopk": {"k": 4},
    "contrastive_jumprelu": {"l0_coefficient": 0.1},
    "contrastive_matryoshka_batchtopk": {"k": 4, "matryoshka_widths": [6, 24]},
}

Train = Callable[..., TrainingSAE[Any]]
MakeSae = Callable[..., TrainingSAE[Any]]
MakeStep = Callable[..., PairedStepInput]


def batches() -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(1)
    while True:
        yield torch.randn(N_ROWS, D_IN, generator=generator)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads wait for each other longer than these small SAEs take."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def train_with_sae_lens() -> Train:
    """train(architecture, backbone, **fields): trained by SAELens's SAETrainer on fixed batches."""
    register()

    def train(architecture: str, backbone: str, **fields: Any) -> TrainingSAE[Any]:
        torch.manual_seed(0)
        sae_class, config_class = get_sae_training_class(architecture)
        config: Any = config_class(d_in=D_IN, d_sae=D_SAE, **{**FIELDS[backbone], **fields})
        trainer = SAETrainer(
            cfg=SAETrainerConfig(
                total_training_samples=N_STEPS * N_ROWS,
                train_batch_size_samples=N_ROWS,
                lr=1e-2,
                lr_end=1e-3,
                dead_feature_window=3,
            ),
            sae=sae_class(config),
            data_provider=batches(),
        )
        return trainer.fit()

    return train


@pytest.fixture(params=sorted(CONTRASTIVE_FIELDS))
def architecture(request: pytest.FixtureRequest) -> str:
    """Each contrastive architecture in turn."""
    return request.param


@pytest.fixture(scope="session")
def make_sae() -> MakeSae:
    """make_sae(architecture, losses=..., **fields): a small training SAE with seeded weights."""

    def make(architecture: str, seed: int = 0, **fields: Any) -> TrainingSAE[Any]:
        torch.manual_seed(seed)
        row = ARCHITECTURES[architecture]
        given: dict[str, Any] = {
            "d_in": D_IN,
            "d_sae": D_SAE,
            "decoder_init_norm": 0.5,
            **CONTRASTIVE_FIELDS[architecture],
        }
        config = row.training_config(**{**given, **fields})
        return row.training_sae(config)

    return make


@pytest.fixture(scope="session")
def make_step() -> MakeStep:
    """make_step(sae, coefficients=..., n_pairs=..., pairs=...): a paired step; rows of a pair are
    alike, and two pairs each share a sequence unless `pairs` says otherwise.
    """

    def make(
        sae: TrainingSAE[Any],
        seed: int = 0,
        coefficients: dict[str, float] | None = None,
        n_pairs: int = N_PAIRS,
        pairs: PairIds | None = None,
    ) -> PairedStepInput:
        generator = torch.Generator().manual_seed(seed)
        d_in = sae.cfg.d_in
        shared = torch.randn(n_pairs, 1, d_in, generator=generator)
        own = torch.randn(n_pairs, 2, d_in, generator=generator)
        values = {
            name: value if isinstance(value, float | int) else value.value
            for name, value in sae.get_coefficients().items()
        }
        return PairedStepInput(
            sae_in=(shared + 0.3 * own).view(2 * n_pairs, d_in).to(sae.dtype),
            coefficients={**values, **(coefficients or {})},
            dead_neuron_mask=None,
            n_training_steps=0,
            is_logging_step=False,
            pairs=PairIds(torch.arange(n_pairs) // 2) if pairs is None else pairs,
        )

    return make
