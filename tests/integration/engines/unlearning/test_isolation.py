"""Traps of SAE-Bench that the isolation is for: where one of these fails, it can go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sae_bench.evals.unlearning.eval_config import UnlearningEvalConfig
from sae_bench.evals.unlearning.utils import feature_activation, metrics
from sae_bench.evals.unlearning.utils.eval import run_eval_single_sae
from sae_lens import SAE
from transformer_lens import HookedTransformer

from csae_bench.engines.unlearning.data import FORGET, UnlearningData
from csae_bench.upstream.unlearning_isolation import replaced, sae_bench_sees


def test_sae_bench_asks_no_model_under_its_true_name(
    model: HookedTransformer, data: UnlearningData, tmp_path: Path
) -> None:
    with (
        sae_bench_sees(model, data, seed=0),
        replaced(model.cfg, model_name="tiny-gemma2-it"),
        pytest.raises(Exception, match="Model prompt format not found"),
    ):
        metrics.calculate_MCQ_metrics(model, 8, str(tmp_path), FORGET)


def test_sae_bench_leaves_gradients_off(
    model: HookedTransformer, random_sae: SAE[Any], tmp_path: Path
) -> None:
    zeros = np.zeros(random_sae.cfg.d_sae)
    feature_activation.save_results(str(tmp_path), "sae", zeros, zeros)
    # without a threshold it ends before it asks anything
    config = UnlearningEvalConfig(retain_thresholds=[], llm_batch_size=1)
    with torch.enable_grad():
        with pytest.raises(UnboundLocalError):
            run_eval_single_sae(model, random_sae, config, str(tmp_path), "sae", False)
        assert not torch.is_grad_enabled()


def test_sae_bench_reads_the_forget_corpus_below_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        replaced(feature_activation, load_dataset=lambda *_, **__: []),
        pytest.raises(FileNotFoundError, match=r"sae_bench/evals/unlearning/data/bio-forget"),
    ):
        feature_activation.get_forget_retain_data()


def test_sae_bench_cannot_read_back_a_threshold_with_an_exponent() -> None:
    from sae_bench.evals.unlearning.main import get_params

    name = "clamp_feature_activation_multiplier25_nfeatures10_layer2_retainthres{}.pkl"
    assert get_params(name.format(0.0001)) is not None
    assert get_params(name.format(0.00001)) is None


def test_within_the_fence_sae_bench_gets_the_data_and_the_seed(
    model: HookedTransformer, data: UnlearningData
) -> None:
    drawn: list[float] = []
    for _ in range(2):
        with sae_bench_sees(model, data, seed=5):
            rows = metrics.load_dataset_with_retries("cais/wmdp", FORGET, split="test")
            texts = feature_activation.get_forget_retain_data()
            drawn.append(float(np.random.random()))  # noqa: NPY002
    assert [row["question"] for row in rows] == [q.question for q in data.questions[FORGET]]
    assert texts == (list(data.forget_texts), list(data.retain_texts))
    assert drawn[0] == drawn[1]
