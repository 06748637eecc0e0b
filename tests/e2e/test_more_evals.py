"""Evals that need no language model, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.conftest import CsaeBench

META = "meta_structure_decoder_variance"


def _result(folder: Path, name: str) -> dict[str, Any]:
    (path,) = folder.glob(f"{name}/*_eval_results.json")
    return json.loads(path.read_text(encoding="utf-8"))


def test_an_sae_of_a_synthetic_model_is_measured_without_a_language_model(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    done = csae_bench(
        "run", "--sae", "oracle", "--evals", f"synth_sae_bench,{META}", "--set", "threads=1",
        "--set", "evals.synth_sae_bench.num_samples=2000",
        "--set", f"evals.{META}.train_steps=3", "--results", tmp_path,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    scores = _result(tmp_path, "synth_sae_bench")["eval_result_metrics"]["scores"]
    assert scores["mcc"] > 0.999
    assert scores["uniqueness"] == 1
    result = _result(tmp_path, META)
    assert result["eval_config"]["train_steps"] == 3
    assert result["eval_result_unstructured"]["corrected"]["above_random"] is not None


def test_an_sae_of_a_language_model_has_no_true_features_and_the_reason_is_said(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    asked = ("--sae", "random", "--evals", "synth_sae_bench", "--results", tmp_path)
    done = csae_bench("doctor", *asked)
    assert done.exit_code == 0, done.stderr
    assert "will be skipped: the SAE is of a language model" in " ".join(done.stdout.split())
