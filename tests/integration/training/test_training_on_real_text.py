"""Training on the text of sae-probes, of which the bundled model knows the small words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from sae_lens.saes.sae import SAE

from csae_bench import models
from csae_bench.activations.sources import EpochWarning
from csae_bench.config import ResolvedConfig
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
                   "pairs_in_buffer": 512}  # fmt: skip
    config = type(made.config).model_validate({"activations": activations})
    update = {"config": made.config.model_copy(update={"activations": config.activations})}
    return made.model_copy(update=update)


@pytest.mark.parametrize("paraphrases", NAMED_PARAPHRASES)
def test_batches_are_those_of_the_seed(
    model: HookedTransformer, resolve: Resolve, paraphrases: str
) -> None:
    def batches(seed: int, make: Callable[..., Any] = pair_stream) -> torch.Tensor:
        stream = make(_resolved(resolve, paraphrases, seed=seed).config, model)
        return torch.stack([next(stream) for _ in range(2)])

    first = batches(0)
    assert torch.isfinite(first).all()
    assert torch.equal(first, batches(0))
    assert not torch.equal(first, batches(1))
    assert not torch.equal(first, batches(0, held_out_stream))


def test_an_sae_is_trained_and_says_on_what(
    model: HookedTransformer, resolve: Resolve, tmp_path: Path
) -> None:
    outcome = train(_resolved(resolve, "sae_probes"), model, tmp_path, progress=False)
    assert outcome.n_steps == 4
    assert SAE.load_from_disk(tmp_path / "inference").cfg.metadata.dataset_path == "sae_probes"


def test_text_that_ends_is_read_again_with_a_warning(
    model: HookedTransformer, resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch)
    resolved = _resolved(resolve, "english")
    training = resolved.config.training.model_copy(update={"n_tokens": 256 * 60})
    resolved = resolved.model_copy(
        update={"config": resolved.config.model_copy(update={"training": training})}
    )
    with pytest.warns(EpochWarning, match=r"The dataset ended after \d+ sequences"):
        outcome = train(resolved, model, tmp_path / "out", progress=False)
    assert outcome.epochs >= 1
