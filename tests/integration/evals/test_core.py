"""The core eval as the harness runs it, on the bundled model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sae_lens import SAE, TopKSAE, TopKSAEConfig
from sae_lens.saes.sae import SAEMetadata
from torch import Tensor

from csae_bench import models
from csae_bench.corpora import NAMED_CORPORA
from csae_bench.errors import EvalError
from csae_bench.evals import EvalContext, EvalResult, get_eval

NAME = "tiny-gemma2-it"
INFO = models.describe(NAME)
SMALL = {
    "context_size": 32,
    "batch_size_prompts": 4,
    "n_eval_reconstruction_batches": 2,
    "n_eval_sparsity_variance_batches": 3,
}


class NeedsSmallBatches(TopKSAE):
    """Runs out of memory above two sequences."""

    limit = 2

    def encode(self, x: Tensor) -> Tensor:
        if x.shape[0] > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1000 MiB.")
        return super().encode(x)


class NeverFits(NeedsSmallBatches):
    limit = 0


@pytest.fixture(scope="module")
def run_eval(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., EvalResult]:
    model = models.load(NAME)
    spec = get_eval("core")

    def run(sae_class: type[SAE[Any]] = TopKSAE, **settings: Any) -> EvalResult:
        torch.manual_seed(0)
        metadata = SAEMetadata(model_name=NAME, hook_name=INFO.default_hook_name)
        sae = sae_class(TopKSAEConfig(d_in=INFO.d_model, d_sae=64, k=8, metadata=metadata))
        context = EvalContext(
            sae=sae,
            sae_id="sae",
            model_name=NAME,
            hook_name=INFO.default_hook_name,
            device="cpu",
            artifacts=Path(tmp_path_factory.mktemp("artifacts")),
            rng=np.random.default_rng(0),
            load_model=lambda _: model,
        )
        return spec.run(context, spec.config(**(SMALL | settings)))

    return run


@pytest.fixture(scope="module")
def result(run_eval: Callable[..., EvalResult]) -> EvalResult:
    return run_eval()


def test_core_reports_upstreams_names_and_the_same_names_corrected(result: EvalResult) -> None:
    names = {name for category in result.metrics.values() for name in category}
    corrected = set(result.unstructured["corrected"])
    ours = {"cossim_where_defined", "n_tokens_cossim_undefined", "dead_fraction"}
    ours |= {"n_tokens_reconstruction", "n_tokens_sparsity_variance"}
    assert corrected - names == ours
    # The legacy formula has no right form, and the others are not wrong.
    rest = {"explained_variance_legacy", "average_max_encoder_cosine_sim"}
    rest |= {"average_max_decoder_cosine_sim", "freq_over_1_percent", "freq_over_10_percent"}
    rest |= {"normalized_freq_over_1_percent", "normalized_freq_over_10_percent"}
    assert names - corrected == rest


def test_core_has_one_detail_per_latent(result: EvalResult) -> None:
    assert [detail["index"] for detail in result.details] == list(range(64))


def test_core_writes_down_what_it_ran_with(result: EvalResult) -> None:
    assert result.eval_config is not None
    asked = {"model_name": NAME, "dataset": "tinyworld", "llm_dtype": "float32", **SMALL}
    assert {name: result.eval_config[name] for name in asked} == asked


@pytest.mark.parametrize("dataset", NAMED_CORPORA)
def test_core_runs_on_each_named_corpus(run_eval: Callable[..., EvalResult], dataset: str) -> None:
    result = run_eval(dataset=dataset)
    assert result.eval_config is not None
    assert result.eval_config["dataset"] == dataset
    assert np.isfinite(result.unstructured["corrected"]["ce_loss_score"])
    assert result.unstructured["data"]["n_epochs"] <= 1


def test_the_headline_of_core_is_in_its_result(result: EvalResult) -> None:
    for place in get_eval("core").headline.values():
        root, *parts = place.split(".")
        assert root == "eval_result_unstructured"
        value: Any = result.unstructured
        for part in parts:
            value = value[part]
        assert isinstance(value, float)


def test_running_out_of_memory_halves_the_batch_on_the_same_tokens(
    run_eval: Callable[..., EvalResult], result: EvalResult
) -> None:
    halved = run_eval(NeedsSmallBatches)
    assert halved.unstructured["batch_halvings"] == [
        {
            "batch_size": 4,
            "next_batch_size": 2,
            "error": "OutOfMemoryError: CUDA out of memory. Tried to allocate 1000 MiB.",
        }
    ]
    assert halved.eval_config is not None
    assert halved.eval_config["batch_size_prompts"] == 2
    assert halved.eval_config["n_eval_sparsity_variance_batches"] == 6
    # Matrix products of another shape round otherwise.
    assert halved.unstructured["corrected"] == pytest.approx(
        result.unstructured["corrected"], rel=1e-4
    )


def test_running_out_of_memory_with_one_sequence_is_an_error(
    run_eval: Callable[..., EvalResult],
) -> None:
    with pytest.raises(EvalError, match="even at batch_size_prompts=1"):
        run_eval(NeverFits)


def test_core_runs_twice_to_the_same_values(
    run_eval: Callable[..., EvalResult], result: EvalResult
) -> None:
    assert run_eval() == result
