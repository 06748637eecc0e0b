"""Training with SAELens's own trainer, small."""

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

D_IN, D_SAE, N_ROWS, N_STEPS = 8, 24, 32, 20
FIELDS: dict[str, dict[str, Any]] = {
    "standard": {"l1_coefficient": 0.1, "l1_warm_up_steps": 5},
    "topk": {"k": 2},
    "batchtopk": {"k": 2},
    "jumprelu": {"l0_coefficient": 0.1, "pre_act_loss_coefficient": 1e-3},
    "matryoshka_batchtopk": {"k": 2, "matryoshka_widths": [6, 24]},
}
"""Backbone -> settings with which its auxiliary losses are at work within 20 steps."""

Train = Callable[..., TrainingSAE[Any]]


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
