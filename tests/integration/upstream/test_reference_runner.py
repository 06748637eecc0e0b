"""What `multiple_evals` hides: a trap of upstream's per test, and that it is isolated."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from sae_bench.evals.core import main as core_main
from sae_bench.sae_bench_utils import general_utils
from sae_lens import SAE
from sae_lens.training.activations_store import ActivationsStore
from transformer_lens import HookedTransformer

from csae_bench.corpora import open_corpus
from csae_bench.errors import EvalError
from csae_bench.upstream.core import CoreSettings
from csae_bench.upstream.isolation import isolated
from csae_bench.upstream.reference import given_model, reference_multiple_evals

SMALL: dict[str, Any] = {
    "context_size": 16,
    "n_eval_reconstruction_batches": 1,
    "n_eval_sparsity_variance_batches": 1,
}


class FailsToEncode(RuntimeError):
    pass


@pytest.fixture
def failing_sae(make_sae: Callable[..., SAE[Any]]) -> SAE[Any]:
    from sae_lens import TopKSAE

    class Failing(TopKSAE):
        def encode(self, x: torch.Tensor) -> torch.Tensor:
            raise FailsToEncode("no such luck")

    return make_sae("topk", Failing)


def upstream(sae: SAE[Any], model: HookedTransformer, text: Path, to: Path, **changes: Any) -> Any:
    asked: dict[str, Any] = {
        "eval_batch_size_prompts": 2,
        "compute_featurewise_density_statistics": True,
        "compute_featurewise_weight_based_metrics": True,
        "dataset": str(text),
        "output_folder": str(to),
        "device": "cpu",
    }
    with isolated(), given_model("toy", model):
        return core_main.multiple_evals([("toy", sae)], **(SMALL | asked | changes))


def test_upstream_swallows_exceptions(
    failing_sae: SAE[Any], toy_model: HookedTransformer, text: Path, tmp_path: Path
) -> None:
    assert upstream(failing_sae, toy_model, text, tmp_path) == [], "mended: drop _kept_exceptions"


def test_a_swallowed_exception_is_an_error_with_its_message_and_cause(
    failing_sae: SAE[Any], toy_model: HookedTransformer, text: Path, tmp_path: Path
) -> None:
    with pytest.raises(EvalError, match="toy: FailsToEncode: no such luck") as raised:
        reference_multiple_evals(
            failing_sae,
            release="toy",
            dataset=str(text),
            output_folder=tmp_path,
            model=toy_model,
            **SMALL,
        )
    assert isinstance(raised.value.__cause__, FailsToEncode)


def test_a_result_from_before_is_not_taken_for_a_new_one(
    make_sae: Callable[..., SAE[Any]],
    toy_model: HookedTransformer,
    text: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "toy_custom_sae_eval_results.json").write_text("{}")
    monkeypatch.setattr(core_main, "save_single_eval_result", lambda *_: "")
    with pytest.raises(EvalError, match="left no new result"):
        reference_multiple_evals(
            make_sae(),
            release="toy",
            dataset=str(text),
            output_folder=tmp_path,
            model=toy_model,
            **SMALL,
        )


def test_upstream_converts_the_sae_it_is_given(
    make_sae: Callable[..., SAE[Any]],
    make_model: Callable[[], HookedTransformer],
    text: Path,
    tmp_path: Path,
) -> None:
    sae = make_sae()
    upstream(sae, make_model().to(torch.bfloat16), text, tmp_path, dtype="bfloat16")
    assert sae.dtype == torch.bfloat16, "mended upstream: no copy is needed"


def test_the_fenced_runner_leaves_the_sae_as_it_was(
    make_sae: Callable[..., SAE[Any]],
    make_model: Callable[[], HookedTransformer],
    text: Path,
    tmp_path: Path,
) -> None:
    sae = make_sae()
    reference_multiple_evals(
        sae,
        release="toy",
        dataset=str(text),
        output_folder=tmp_path,
        model=make_model().to(torch.bfloat16),
        dtype="bfloat16",
        **SMALL,
    )
    assert sae.dtype == torch.float32
    assert sae.cfg.dtype == "float32"


def test_upstream_sleeps_between_retries(
    make_sae: Callable[..., SAE[Any]],
    toy_model: HookedTransformer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(general_utils.time, "sleep", slept.append)
    upstream(make_sae(), toy_model, tmp_path / "missing", tmp_path)
    assert len(slept) == 3, "mended upstream: drop _without_retries"


def test_the_fenced_runner_does_not_retry(
    make_sae: Callable[..., SAE[Any]],
    toy_model: HookedTransformer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with pytest.raises(EvalError, match="missing"):
        reference_multiple_evals(
            make_sae(),
            release="toy",
            dataset=str(tmp_path / "missing"),
            output_folder=tmp_path,
            model=toy_model,
            **SMALL,
        )
    assert slept == []


def test_the_loader_of_models_is_put_back(toy_model: HookedTransformer) -> None:
    before = vars(HookedTransformer)["from_pretrained_no_processing"]
    with given_model("toy", toy_model):
        assert HookedTransformer.from_pretrained_no_processing("toy") is toy_model
    assert vars(HookedTransformer)["from_pretrained_no_processing"] is before


def test_upstream_fails_on_one_featurewise_flag_without_the_other(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, text: Path, tmp_path: Path
) -> None:
    flags = {"compute_featurewise_weight_based_metrics": False}
    assert upstream(make_sae(), toy_model, text, tmp_path, **flags) == [], "mended upstream"


def test_upstream_dies_of_a_missing_pad_token(
    make_sae: Callable[..., SAE[Any]],
    toy_model: HookedTransformer,
    settings: Callable[..., CoreSettings],
) -> None:
    sae = make_sae()
    with isolated():
        _, sae, _ = general_utils.load_and_format_sae("toy", sae, "cpu")  # pyright: ignore[reportGeneralTypeIssues]
        dataset = open_corpus(settings().dataset_name, split="core")
        store = ActivationsStore.from_sae(toy_model, sae, dataset, context_size=16)
        with pytest.raises(TypeError):
            core_main.run_evals(
                sae,
                store,
                toy_model,
                core_main.CoreEvalConfig(batch_size_prompts=2, compute_kl=True),
                ignore_tokens={None, 0},
            )


def test_upstreams_store_begins_a_small_dataset_again_without_a_word(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer
) -> None:
    rows = Dataset.from_dict({"text": ["w1 " * 20]}).to_iterable_dataset()
    with isolated() as warnings:
        store = ActivationsStore.from_sae(toy_model, make_sae(), rows, context_size=16)
        tokens = store.get_batch_tokens(3)
    assert torch.equal(tokens[0], tokens[2]), "mended upstream: drop the count of epochs"
    assert warnings == []


def test_upstreams_reset_does_not_begin_the_dataset_again(
    make_sae: Callable[..., SAE[Any]],
    toy_model: HookedTransformer,
    settings: Callable[..., CoreSettings],
) -> None:
    dataset = open_corpus(settings().dataset_name, split="core")
    with isolated():
        store = ActivationsStore.from_sae(toy_model, make_sae(), dataset, context_size=16)
        first = store.get_batch_tokens(2)
        store.reset_input_dataset()
    # Core calls it between its phases; were it to work, both phases would see the same text.
    assert not torch.equal(store.get_batch_tokens(2), first), "mended upstream"
