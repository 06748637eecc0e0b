"""A float32 SAE on a model in bfloat16, as gemma_2_2b is trained on a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file

from csae_bench import models
from csae_bench.config import ResolvedConfig, RunConfig
from csae_bench.training.data import pair_stream
from csae_bench.training.train import train

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it", dtype="bfloat16")


CONFIG = RunConfig.model_validate(
    {
        "model": "tiny-gemma2-it",
        "model_dtype": "bfloat16",
        "activations": {"context_size": 32, "batch_size_prompts": 4, "pairs_in_buffer": 128},
        "pairs": {"same_sequence": {"weight": 1}, "paraphrase": {"weight": 1}},
        "sae": {
            "architecture": "contrastive_batchtopk",
            "d_sae": 64,
            "k": 6,
            "losses": {"rows": {"weight": 0.1}},
        },
        "training": {
            "n_tokens": 4 * 128,
            "batch_size": 128,
            "calibration_tokens": 256,
            "log_every": 1,
        },
    }
)


def test_rows_are_float32_and_hold_what_the_model_computed(model: HookedTransformer) -> None:
    rows = next(pair_stream(CONFIG, model))
    assert model.W_E.dtype == torch.bfloat16
    assert rows.dtype == torch.float32
    assert torch.equal(rows.to(torch.bfloat16).float(), rows)  # nothing was rounded on the way


def test_sae_is_trained_and_saved_in_float32(model: HookedTransformer, tmp_path: Path) -> None:
    resolved = ResolvedConfig(name="half", path=Path("half.yaml"), config=CONFIG, origins={})
    outcome = train(resolved, model, tmp_path, progress=False)
    assert outcome.executed_steps == outcome.planned_steps == 4
    weights = load_file(tmp_path / "inference" / "sae_weights.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    # float32 in its updates too: rounded to bfloat16 it would be other weights
    assert not torch.equal(weights["W_enc"].to(torch.bfloat16).float(), weights["W_enc"])
