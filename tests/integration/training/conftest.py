"""Tiny trainings on generated activations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from csae_bench.config import ResolvedConfig, RunConfig

Resolve = Callable[..., ResolvedConfig]

ACTIVATIONS = {
    "kind": "generator",
    "d_in": 24,
    "n_features": 48,
    "n_slow_features": 2,
    "n_fast_features": 6,
    "context_size": 8,
    "batch_size_prompts": 16,
    "pairs_in_buffer": 256,
}
SAE = {
    "architecture": "contrastive_topk",
    "d_sae": 64,
    "k": 6,
    "losses": {"rows": {"weight": 0.1, "warm_up_steps": 10}},
}
TRAINING = {
    "n_tokens": 40 * 128 + 100,  # 40 steps, and a rest that is not used
    "batch_size": 128,
    "learning_rate": 5e-3,
    "lr_warm_up_steps": 5,
    "lr_decay_steps": 10,
    "dead_latent_window": 10,
    "calibration_tokens": 16_384,
    "log_every": 4,
    "checkpoint_every": 12,
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:  # tensors are tiny: threads would only wait for each other
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def resolve() -> Resolve:
    """Makes a configuration; what is passed is laid over the tiny one."""

    def make(*, name: str = "tiny", sae: dict[str, Any] | None = None, **changes: Any) -> Any:
        config = {
            "activations": {**ACTIVATIONS, **changes.pop("activations", {})},
            "training": {**TRAINING, **changes.pop("training", {})},
            "sae": sae if sae is not None else SAE,
            **changes,
        }
        return ResolvedConfig(
            name=name, path=Path("tiny.yaml"), config=RunConfig.model_validate(config), origins={}
        )

    return make
