"""csae_bench/preflight/machine.py and evals.py: memory of a run with its evals."""

from __future__ import annotations

from pathlib import Path

import pytest

from csae_bench.hardware import memory as needs
from csae_bench.models import describe
from csae_bench.preflight import machine
from csae_bench.preflight.evals import eval_shapes
from csae_bench.runs.request import RunRequest
from csae_bench.runs.resolving import ResolvedSae, resolve_sae

GEMMA_BYTES = 2.0 * describe("google/gemma-2-2b").n_parameters


def resolved(tmp_path: Path, *sets: str, sae: str = "gemma_2_2b", **flags: str) -> ResolvedSae:
    return resolve_sae(RunRequest(source=sae, results=tmp_path, sets=sets, **flags))


def test_an_evals_own_model_is_counted_from_that_eval_on(tmp_path: Path) -> None:
    core, unlearning = eval_shapes(resolved(tmp_path))
    assert core == (16, 128, None, 0)
    assert unlearning == (4, 1024, 2, GEMMA_BYTES)


def test_an_own_model_that_is_the_runs_is_counted_once(tmp_path: Path) -> None:
    sae = resolved(
        tmp_path, "evals.unlearning.model=google/gemma-2-2b-it", model="google/gemma-2-2b-it"
    )
    assert [shape.more_weights for shape in eval_shapes(sae)] == [0, 0]


def test_the_phase_that_needs_most_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "available_bytes", lambda device: 10 * needs.GIB)
    ((outcome, message),) = machine.memory(resolved(tmp_path, device="cpu"))
    assert outcome == "problem"
    assert "in an eval: " in message or "while the model is loaded: " in message
    assert "weights" in message


def test_a_model_that_does_not_fit_is_not_mended_by_a_smaller_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "available_bytes", lambda device: 4 * needs.GIB)
    sae = resolved(tmp_path, "model_dtype=float32", device="cpu")
    ((_, message),) = machine.memory(sae)
    assert "take a smaller one. Set model_dtype=bfloat16." in message
    assert "batch_size_prompts" not in message.partition("free.")[2].replace(
        "activations.batch_size_prompts", ""
    )
