"""Training on the text of sae-probes, of which the bundled model knows the small words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sae_lens.saes.sae import SAE

from csae_bench import models
from csae_bench.activations.sources import EpochWarning, ModelSource, model_source
from csae_bench.config import ModelActivations, ResolvedConfig
from csae_bench.paraphrases import NAMED_PARAPHRASES
from csae_bench.training.data import held_out_stream, pair_stream
from csae_bench.training.train import train
from tests.unit.corpora.sae_probes_package import install

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

Resolve = Callable[..., ResolvedConfig]


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


def _resolved(resolve: Resolve, paraphrases: str, **changes: Any) -> ResolvedConfig:
    made = resolve(
        sae={"architecture": "contrastive_batchtopk", "d_sae": 256, "k": 16,
             "losses": {"rows": {"weight": 0.1}}},
        training={"batch_size": 256, "n_tokens": 256 * 4, "calibration_tokens": 0},
        pairs={"paraphrase": {"weight": 1, "dataset": paraphrases}},
        **changes,
    )  # fmt: skip
    activations = {"dataset": "sae_probes", "context_size": 64, "batch_size_prompts": 8,
                   "pairs_in_buffer": 256}  # fmt: skip
    config = type(made.config).model_validate({"activations": activations})
    update = {"config": made.config.model_copy(update={"activations": config.activations})}
    return made.model_copy(update=update)


@pytest.mark.parametrize("paraphrases", NAMED_PARAPHRASES)
def test_batches_are_those_of_the_seed(
    model: HookedTransformer, resolve: Resolve, paraphrases: str
) -> None:
    def batches(seed: int, make: Callable[..., Any] = pair_stream) -> torch.Tensor:
        stream = make(_resolved(resolve, paraphrases, seed=seed).config, model)
        return next(stream)

    first = batches(0)
    assert torch.isfinite(first).all()
    assert torch.equal(first, batches(0))
    assert not torch.equal(first, batches(1))
    assert not torch.equal(first, batches(0, held_out_stream))


def test_an_sae_is_trained_and_says_on_what(
    model: HookedTransformer, resolve: Resolve, tmp_path: Path
) -> None:
    train(_resolved(resolve, "sae_probes"), model, tmp_path, progress=False)
    log = (tmp_path / "training_log.jsonl").read_text().splitlines()
    assert log
    assert all(np.isfinite(json.loads(line)["mse_loss"]) for line in log)
    assert SAE.load_from_disk(tmp_path / "inference").cfg.metadata.dataset_path == "sae_probes"


def test_text_that_ends_is_read_again_with_a_warning(
    model: HookedTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch)
    settings = ModelActivations(dataset="sae_probes", context_size=64)
    hook_name = models.describe("tiny-gemma2-it").default_hook_name
    source = model_source(model, settings, hook_name=hook_name, seed=0)
    with pytest.warns(EpochWarning, match=r"The dataset ended after \d+ sequences of 64 tokens"):
        _read_to_the_end(source)


def _read_to_the_end(source: ModelSource) -> None:
    while not source.epochs:
        source.next_sequences()
