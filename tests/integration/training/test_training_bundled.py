"""Training on the bundled model's activations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from sae_lens.saes.sae import SAE

from csae_bench import models
from csae_bench.activations.sources import EpochWarning
from csae_bench.config import ResolvedConfig, RunConfig
from csae_bench.errors import DataError
from csae_bench.training.data import pair_stream
from csae_bench.training.train import train

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

Resolve = Callable[..., ResolvedConfig]


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


def _on_text(resolve: Resolve, dataset: str = "tinyworld", **training: Any) -> ResolvedConfig:
    resolved = resolve(
        sae={"architecture": "contrastive_batchtopk", "d_sae": 256, "k": 16,
             "losses": {"rows": {"weight": 0.1}}},
        training={"batch_size": 512, "n_tokens": 512 * 30, "learning_rate": 2e-3, **training},
    )  # fmt: skip
    activations = (
        type(resolved.config)
        .model_validate(
            {"activations": {"dataset": dataset, "context_size": 64, "pairs_in_buffer": 1024}}
        )
        .activations
    )
    return resolved.model_copy(
        update={"config": resolved.config.model_copy(update={"activations": activations})}
    )


def test_an_sae_of_the_bundled_model_learns(
    model: HookedTransformer, resolve: Resolve, tmp_path: Path
) -> None:
    resolved = _on_text(resolve, calibration_tokens=16_384, n_tokens=512 * 80)
    outcome = train(resolved, model, tmp_path, progress=False)
    lines = [json.loads(s) for s in (tmp_path / "training_log.jsonl").read_text().splitlines()]
    assert lines[-1]["explained_variance"] > max(0.5, lines[0]["explained_variance"])
    assert outcome.l0_training == 16
    # 16,384 rows, of 300 windows: the threshold is known to about 2 %, so is L0
    assert outcome.l0_inference == pytest.approx(16, rel=0.04)


def test_the_saved_sae_says_where_it_belongs(
    model: HookedTransformer, resolve: Resolve, tmp_path: Path
) -> None:
    train(_on_text(resolve, n_tokens=512, calibration_tokens=0), model, tmp_path, progress=False)
    metadata = SAE.load_from_disk(tmp_path / "inference").cfg.metadata
    assert metadata.model_name == "tiny-gemma2-it"
    assert metadata.hook_name == models.describe("tiny-gemma2-it").default_hook_name
    assert (metadata.context_size, metadata.prepend_bos) == (64, True)
    assert metadata.dataset_path == "tinyworld"


def test_no_special_token_is_ever_in_a_batch(model: HookedTransformer, resolve: Resolve) -> None:
    # the model sees <bos> first in every window, so its activation there is one known vector
    with torch.no_grad():
        bos = torch.tensor([[model.tokenizer.bos_token_id]])  # pyright: ignore
        hook = models.describe("tiny-gemma2-it").default_hook_name
        forbidden = model.run_with_cache(bos, prepend_bos=False)[1][hook][0, 0]
    stream = pair_stream(_on_text(resolve).config, model)
    for _ in range(8):
        assert (next(stream) - forbidden).norm(dim=1).min() > 1e-2 * forbidden.norm()


def test_a_small_dataset_is_read_again_and_the_passes_are_recorded(
    model: HookedTransformer, resolve: Resolve, tmp_path: Path
) -> None:
    from csae_bench.tinyworld import documents

    rows = [json.dumps({"text": text}) + "\n" for text in documents("sae", 30)]
    (tmp_path / "a.jsonl").write_text("".join(rows))
    resolved = _on_text(resolve, str(tmp_path), n_tokens=512 * 24, calibration_tokens=0)
    with pytest.warns(EpochWarning, match="starting over"):
        outcome = train(resolved, model, tmp_path / "out", progress=False)
    assert outcome.epochs >= 2


def test_a_dataset_below_one_batch_is_an_error(
    model: HookedTransformer, resolve: Resolve, tmp_path: Path
) -> None:
    from csae_bench.tinyworld import documents

    rows = [json.dumps({"text": text}) + "\n" for text in documents("sae", 1)]
    (tmp_path / "a.jsonl").write_text("".join(rows))
    resolved = _on_text(resolve, str(tmp_path))
    with pytest.warns(EpochWarning), pytest.raises(DataError, match="one batch takes 512"):
        train(resolved, model, tmp_path / "out", progress=False)


@pytest.mark.slow
def test_rows_sets_held_out_paraphrases_apart_from_other_pairs(
    model: HookedTransformer, tmp_path: Path
) -> None:
    def separation(weight: float) -> float:
        config = RunConfig.model_validate(
            {
                "activations": {"context_size": 64, "pairs_in_buffer": 1024},
                "pairs": {"same_sequence": {"weight": 0}, "paraphrase": {"weight": 1}},
                "sae": {
                    "architecture": "contrastive_topk",
                    "d_sae": 256,
                    "k": 8,
                    "losses": {"rows": {"weight": weight}},
                },
                "training": {
                    "n_tokens": 512 * 150,
                    "batch_size": 512,
                    "learning_rate": 3e-3,
                    "lr_decay_steps": 20,
                    "checkpoint_every": 0,
                },
            }
        )
        path = Path("paraphrases.yaml")
        resolved = ResolvedConfig(name="paraphrases", path=path, config=config, origins={})
        outcome = train(resolved, model, tmp_path / str(weight), progress=False)
        assert outcome.pair_separation is not None
        return outcome.pair_separation

    # .330 without the term and .362 with it; another seed .330 and .358
    assert separation(0.3) > separation(0.0) + 0.015
