"""What every registered eval promises, whoever wrote it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformer_lens import HookedTransformer

import csae_bench
from csae_bench import models
from csae_bench.evals import discover
from csae_bench.models.fingerprint import loaded_fingerprint
from csae_bench.saes.hashing import loaded_hash
from tests.integration.test_shared_passes import DATA, SETTINGS, SKIPPED, without_times

EVALS = tuple(SETTINGS)


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


@pytest.fixture(scope="module")
def sae() -> Any:
    return csae_bench.load_sae(DATA / "sae")


def _measured(sae: Any, model: HookedTransformer, *evals: str) -> dict[str, Any]:
    """Eval -> all that it found, but for ids, times and memory."""
    evaluation = csae_bench.evaluate(
        sae,
        model=model,
        evals=evals,
        settings={name: SETTINGS[name] for name in evals},
        progress=False,
    )
    results: dict[str, Any] = {}
    for name, outcome in evaluation.items():
        assert outcome.status == "ok", outcome.reasons
        assert outcome.result is not None
        unstructured = dict(outcome.result["eval_result_unstructured"])
        del unstructured["provenance"]
        kept = ("eval_config", "eval_result_metrics", "eval_result_details", "sae_cfg_dict")
        results[name] = {key: outcome.result[key] for key in kept} | {
            "unstructured": unstructured,
            "eval_result_metrics": without_times(outcome.result["eval_result_metrics"]),
        }
    return results


@pytest.fixture(scope="module")
def alone(sae: Any, model: HookedTransformer) -> dict[str, Any]:
    """What each eval finds in a session of its own."""
    return {name: _measured(sae, model, name)[name] for name in EVALS}


def test_every_eval_is_tested_here() -> None:
    assert set(EVALS) == set(discover()) - SKIPPED


@pytest.mark.parametrize("name", EVALS)
def test_an_eval_works_on_an_object(name: str, alone: dict[str, Any]) -> None:
    assert alone[name]["eval_result_metrics"]


def test_an_eval_gives_the_same_json_whatever_ran_before(
    sae: Any, model: HookedTransformer, alone: dict[str, Any]
) -> None:
    for order in (EVALS, EVALS[::-1]):
        together = _measured(sae, model, *order)
        for name in order:
            assert together[name] == alone[name], name


@pytest.mark.parametrize("name", EVALS)
def test_an_eval_leaves_everything_as_it_was(name: str, sae: Any, model: HookedTransformer) -> None:
    before = loaded_hash(sae), sae.cfg.to_dict(), loaded_fingerprint(model), model.cfg.to_dict()
    hooks = {point: len(hook.fwd_hooks) for point, hook in model.hook_dict.items()}
    sides = model.tokenizer.padding_side, model.tokenizer.truncation_side
    modes = torch.is_grad_enabled(), torch.get_default_dtype(), model.training
    state = random.getstate()
    _measured(sae, model, name)
    assert before == (
        loaded_hash(sae),
        sae.cfg.to_dict(),
        loaded_fingerprint(model),
        model.cfg.to_dict(),
    )
    assert hooks == {point: len(hook.fwd_hooks) for point, hook in model.hook_dict.items()}
    assert sides == (model.tokenizer.padding_side, model.tokenizer.truncation_side)
    assert modes == (torch.is_grad_enabled(), torch.get_default_dtype(), model.training)
    assert state == random.getstate()


@pytest.mark.parametrize("name", EVALS)
def test_evaluate_leaves_the_global_generators_as_they_were(
    name: str, sae: Any, model: HookedTransformer
) -> None:
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002 - the generator that is to be left alone
    expected = torch.rand(1).item(), float(np.random.rand())  # noqa: NPY002
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    _measured(sae, model, name)
    assert (torch.rand(1).item(), float(np.random.rand())) == expected  # noqa: NPY002


def test_data_of_the_contract_is_committed() -> None:
    assert (Path(DATA) / "sae" / "cfg.json").is_file()
