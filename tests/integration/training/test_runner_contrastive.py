"""ContrastiveSAETrainingRunner in the place of SAELens's own."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from sae_lens import LanguageModelSAERunnerConfig, LanguageModelSAETrainingRunner, LoggingConfig
from sae_lens.saes.sae import SAE
from sae_lens.saes.topk_sae import TopKTrainingSAEConfig
from safetensors.torch import load_file

import csae_bench
from csae_bench import models
from csae_bench.config import (
    MinimalSettings,
    PairsSettings,
    ParaphraseSettings,
    SameSequenceSettings,
)
from csae_bench.corpora import open_corpus
from csae_bench.errors import ConfigError, TrainingError
from csae_bench.saes.contrastive import ContrastiveTopKTrainingSAEConfig
from csae_bench.training.loop import ContrastiveSAETrainer
from csae_bench.training.saelens_runner import ContrastiveSAETrainingRunner

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

MIXTURE = PairsSettings(paraphrase=ParaphraseSettings(weight=1.0))
THREES = PairsSettings(minimal=MinimalSettings(weight=1.0, with_paraphrases=True, shuffled=True))


@pytest.fixture(autouse=True)
def _handlers_of_signals() -> Iterator[None]:  # the stock runner leaves its own behind
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


def _config(output: Path | None, *, weight: float = 0.1, **changes: Any) -> Any:
    sae = ContrastiveTopKTrainingSAEConfig(
        d_in=128, d_sae=256, k=16, losses={"rows": {"weight": weight}}
    )
    settings: dict[str, Any] = {
        "sae": sae,
        "model_name": "tiny-gemma2-it",
        "hook_name": "blocks.2.hook_resid_post",
        "dataset_path": "tinyworld",
        "is_dataset_tokenized": False,
        "context_size": 64,
        "store_batch_size_prompts": 8,
        "n_batches_in_buffer": 16,
        "training_tokens": 12 * 256 + 10,
        "train_batch_size_tokens": 256,
        "lr": 1e-3,
        "seed": 7,
        "logger": LoggingConfig(log_to_wandb=False, wandb_log_frequency=5),
        "checkpoint_path": None,
        "output_path": str(output) if output is not None else None,
        "verbose": False,
    }
    return LanguageModelSAERunnerConfig(**{**settings, **changes})


def _runner(config: Any, model: HookedTransformer, **options: Any) -> ContrastiveSAETrainingRunner:
    return ContrastiveSAETrainingRunner(
        config,
        override_dataset=open_corpus("tinyworld", split="sae"),
        override_model=model,
        progress=False,
        **options,
    )


def test_it_is_the_runner_that_csae_bench_exports() -> None:
    assert csae_bench.ContrastiveSAETrainingRunner is ContrastiveSAETrainingRunner
    assert issubclass(ContrastiveSAETrainingRunner, LanguageModelSAETrainingRunner)


def test_it_trains_and_saves_what_saelens_loads(model: HookedTransformer, tmp_path: Path) -> None:
    sae = _runner(_config(tmp_path), model).run()
    loaded = SAE.load_from_disk(tmp_path)
    assert loaded.cfg.architecture() == "contrastive_topk"
    assert loaded.cfg.metadata.hook_name == "blocks.2.hook_resid_post"
    assert loaded.cfg.metadata.exclude_special_tokens is True
    x = torch.randn(5, 128)
    torch.testing.assert_close(loaded(x), sae(x), atol=1e-5, rtol=1e-4)  # decoder norms folded
    saved = {path.name for path in tmp_path.iterdir()}
    assert {"runner_cfg.json", "sparsity.safetensors", "training_log.jsonl"} <= saved


def test_it_logs_the_steps_that_fit_into_the_tokens(
    model: HookedTransformer, tmp_path: Path
) -> None:
    _runner(_config(tmp_path), model).run()
    lines = [json.loads(s) for s in (tmp_path / "training_log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 5, 10, 12]
    assert all(line["loss/rows"] > 0 for line in lines)
    assert lines[-1]["mse_loss"] < lines[0]["mse_loss"]


def test_equal_seeds_train_to_equal_weights_and_another_does_not(
    model: HookedTransformer,
) -> None:
    one, same, other = (_runner(_config(None, seed=seed), model).run() for seed in (7, 7, 8))
    assert torch.equal(one.W_enc, same.W_enc)
    assert not torch.equal(one.W_enc, other.W_enc)


def test_resumed_from_a_checkpoint_it_ends_in_the_same_weights(
    model: HookedTransformer, tmp_path: Path
) -> None:
    checkpoints = tmp_path / "checkpoints"
    config = _config(tmp_path / "one", checkpoint_path=str(checkpoints), n_checkpoints=1)
    straight = _runner(config, model).run()
    (checkpoint,) = checkpoints.rglob("sae_weights.safetensors")
    assert not torch.equal(load_file(checkpoint)["W_enc"], straight.W_enc)
    config = _config(tmp_path / "two", resume_from_checkpoint=str(checkpoint.parent))
    resumed = _runner(config, model).run()
    assert torch.equal(resumed.W_enc, straight.W_enc)


def test_interrupted_it_saves_what_it_can_resume_from(
    model: HookedTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = _runner(_config(None), model).run()
    make_step = ContrastiveSAETrainer.step

    def interrupted(self: ContrastiveSAETrainer, batch: torch.Tensor) -> Any:
        if self.n_training_steps == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return make_step(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(ContrastiveSAETrainer, "step", interrupted)
        with pytest.raises(TrainingError, match=r"step 5; resume_from_checkpoint='.*' resumes"):
            _runner(_config(None, checkpoint_path=str(tmp_path)), model).run()
    (weights,) = tmp_path.rglob("sae_weights.safetensors")
    resumed = _runner(_config(None, resume_from_checkpoint=str(weights.parent)), model).run()
    assert torch.equal(resumed.W_enc, straight.W_enc)


def test_it_trains_stock_architectures(model: HookedTransformer) -> None:
    sae = _runner(_config(None, sae=TopKTrainingSAEConfig(d_in=128, d_sae=256, k=16)), model).run()
    twin = _runner(_config(None, weight=0.0), model).run()
    assert torch.equal(sae.W_enc, twin.W_enc)


def test_it_takes_the_settings_of_pairs(model: HookedTransformer) -> None:
    pairs = PairsSettings(same_sequence=SameSequenceSettings(max_distance=1))
    adjacent = _runner(_config(None), model, pairs=pairs).run()
    assert not torch.equal(adjacent.W_enc, _runner(_config(None), model).run().W_enc)


@pytest.mark.parametrize("pairs", [MIXTURE, THREES], ids=["paraphrases", "groups of three"])
def test_it_trains_on_pairs_of_texts_and_resumes_to_the_same_weights(
    pairs: PairsSettings, model: HookedTransformer, tmp_path: Path
) -> None:
    config = _config(None, checkpoint_path=str(tmp_path), n_checkpoints=1)
    straight = _runner(config, model, pairs=pairs).run()
    (checkpoint,) = tmp_path.rglob("sae_weights.safetensors")
    config = _config(None, resume_from_checkpoint=str(checkpoint.parent))
    resumed = _runner(config, model, pairs=pairs).run()
    assert torch.equal(resumed.W_enc, straight.W_enc)


@pytest.mark.parametrize("pairs", [MIXTURE, THREES], ids=["paraphrases", "groups of three"])
def test_pairs_of_texts_refuse_a_slice_of_positions(pairs: PairsSettings) -> None:
    with pytest.raises(ConfigError, match=r"seqpos_slice is \(2,\); with pairs of texts it must"):
        ContrastiveSAETrainingRunner(_config(None, seqpos_slice=(2,)), pairs=pairs)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"use_cached_activations": True}, "use_cached_activations is True; it must be False"),
        ({"prefetch_llm_batches": 2}, "prefetch_llm_batches is 2; it must be False"),
        ({"train_batch_size_tokens": 255}, "train_batch_size_tokens is 255; it must be even"),
    ],
    ids=["cached", "prefetch", "odd"],
)
def test_what_pairs_cannot_do_is_an_error_before_anything_is_loaded(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        ContrastiveSAETrainingRunner(_config(None, **changes))


@pytest.mark.filterwarnings("ignore:The term 'rows' counts at no step")
def test_zero_steps_are_an_error(model: HookedTransformer) -> None:
    with pytest.raises(TrainingError, match="200 tokens / batch 256 = 0 steps"):
        _runner(_config(None, training_tokens=200), model).run()


def test_the_stock_runner_refuses_a_contrastive_sae(model: HookedTransformer) -> None:
    runner = LanguageModelSAETrainingRunner(
        _config(None),
        override_dataset=open_corpus("tinyworld", split="sae"),
        override_model=model,
    )
    with pytest.raises(TrainingError, match="ContrastiveSAETrainingRunner"):
        runner.run()
