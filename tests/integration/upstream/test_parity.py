"""Our core equals SAE-Bench's `multiple_evals` on the same SAE, model and data, bit for bit."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from sae_lens import SAE
from transformer_lens import HookedTransformer

from csae_bench import models
from csae_bench.config import ContrastiveTopKSae
from csae_bench.corpora import open_corpus
from csae_bench.errors import EvalError
from csae_bench.models import smollm2
from csae_bench.saes.building import training_sae
from csae_bench.saes.loading import load_sae
from csae_bench.upstream import sae_cfg_dict, validate_as_sae_bench
from csae_bench.upstream.core import CoreOutcome, CoreSettings, run_core
from csae_bench.upstream.reference import reference_multiple_evals

Reference = dict[str, Any]


def reference(
    sae: SAE[Any], model: HookedTransformer, settings: CoreSettings, folder: Path
) -> Reference:
    path = reference_multiple_evals(
        sae,
        release="toy_layer_1_sae",
        dataset=settings.dataset_name,
        output_folder=folder,
        model=model,
        context_size=settings.context_size,
        batch_size_prompts=settings.batch_size_prompts,
        n_eval_reconstruction_batches=settings.n_eval_reconstruction_batches,
        n_eval_sparsity_variance_batches=settings.n_eval_sparsity_variance_batches,
        dtype=str(model.cfg.dtype).removeprefix("torch."),
    )
    return json.loads(path.read_text())


def assert_equal(ours: CoreOutcome, theirs: Reference) -> None:
    assert ours.metrics == theirs["eval_result_metrics"]
    assert ours.details == theirs["eval_result_details"]
    assert ours.eval_config == theirs["eval_config"]


@pytest.mark.parametrize("name", ["topk", "jumprelu", "layer_norm", "zero"])
def test_every_metric_and_detail_is_that_of_multiple_evals(
    name: str,
    make_sae: Callable[..., SAE[Any]],
    toy_model: HookedTransformer,
    settings: Callable[..., CoreSettings],
    tmp_path: Path,
) -> None:
    sae, ask = make_sae(name), settings()
    theirs = reference(sae, toy_model, ask, tmp_path)
    assert_equal(run_core(sae, toy_model, open_corpus(ask.dataset_name, split="core"), ask), theirs)
    assert theirs["sae_cfg_dict"] == sae_cfg_dict(sae)


def test_every_metric_is_that_of_multiple_evals_in_bfloat16(
    make_sae: Callable[..., SAE[Any]],
    make_model: Callable[[], HookedTransformer],
    settings: Callable[..., CoreSettings],
    tmp_path: Path,
) -> None:
    model = make_model().to(torch.bfloat16)
    sae, ask = make_sae(), settings()
    theirs = reference(sae, model, ask, tmp_path)
    ours = run_core(sae, model, open_corpus(ask.dataset_name, split="core"), ask)
    assert_equal(ours, theirs)
    assert ours.eval_config["llm_dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("name", "corpus"),
    [
        ("tiny-gemma2-it", "tinyworld"),
        pytest.param(
            smollm2.MODEL_NAME, "sae_probes",
            marks=[
                pytest.mark.slow,
                pytest.mark.real,
                pytest.mark.skipif(not smollm2.is_installed(), reason=smollm2.INSTALL),
            ],
        ),
    ],
)  # fmt: skip
def test_the_stock_runner_takes_a_checkpoint_of_ours_and_agrees_with_core(
    name: str, corpus: str, tmp_path: Path
) -> None:
    model = models.load(name)
    info = models.describe(name)
    torch.manual_seed(0)
    trained = training_sae(
        ContrastiveTopKSae(d_sae=64, k=8),
        d_in=info.d_model,
        device="cpu",
        metadata={
            "model_name": info.name,
            "hook_name": info.default_hook_name,
            "context_size": 32,
            "prepend_bos": True,
        },
    )
    trained.save_inference_model(str(tmp_path / "inference"))
    sae = load_sae(tmp_path / "inference")
    text = tmp_path / "text"
    text.mkdir()
    rows = list(open_corpus(corpus, split="core").take(60))
    (text / "core.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ask = CoreSettings(
        dataset_name=str(text),
        model_name=info.name,
        hook_name=info.default_hook_name,
        context_size=32,
        batch_size_prompts=4,
        n_eval_reconstruction_batches=2,
        n_eval_sparsity_variance_batches=2,
    )
    theirs = reference(sae, model, ask, tmp_path / "results")
    assert theirs["sae_cfg_dict"]["architecture"] == "contrastive_topk"
    assert_equal(run_core(sae, model, Dataset.from_list(rows).to_iterable_dataset(), ask), theirs)


def test_the_sae_is_left_as_it_was(
    make_sae: Callable[..., SAE[Any]],
    make_model: Callable[[], HookedTransformer],
    settings: Callable[..., CoreSettings],
) -> None:
    sae, ask = make_sae(), settings()
    weights = copy.deepcopy(sae.state_dict())
    cfg, attributes = copy.deepcopy(vars(sae.cfg)), set(vars(sae))
    model = make_model().to(torch.bfloat16)
    run_core(sae, model, open_corpus(ask.dataset_name, split="core"), ask)
    assert vars(sae.cfg) == cfg
    assert set(vars(sae)) == attributes
    assert sae.dtype == torch.float32
    for name, weight in sae.state_dict().items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, weights[name])


def test_sae_bench_accepts_its_own_result_and_ours_with_the_same_envelope(
    make_sae: Callable[..., SAE[Any]],
    toy_model: HookedTransformer,
    settings: Callable[..., CoreSettings],
    tmp_path: Path,
) -> None:
    sae, ask = make_sae(), settings()
    theirs = reference(sae, toy_model, ask, tmp_path)
    validate_as_sae_bench(theirs)
    ours = run_core(sae, toy_model, open_corpus(ask.dataset_name, split="core"), ask)
    validate_as_sae_bench(
        theirs
        | {
            "eval_result_metrics": ours.metrics,
            "eval_result_details": ours.details,
            "eval_config": ours.eval_config,
            "eval_result_unstructured": {"corrected": ours.corrected.values},
        }
    )
    del theirs["eval_result_metrics"]["sparsity"]["l0"]
    with pytest.raises(EvalError, match=r"eval_result_metrics\.sparsity\.l0: Field required"):
        validate_as_sae_bench(theirs)
    theirs["eval_result_metrics"]["sparsity"]["l0"] = "4"  # pydantic would make a number of it
    with pytest.raises(EvalError, match=r"sparsity\.l0: '4' is not of type 'number'"):
        validate_as_sae_bench(theirs)
