"""`--eval-seeds`: an eval repeated on one SAE, filed apart and shown as one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from csae_bench.results.store import read_json
from tests.e2e.conftest import CsaeBench

ARGUMENTS = (
    "run", "--sae", "random", "--evals", "core,mig",
    "--set", "sae.d_sae=128", "--set", "sae.n_fit_tokens=4096", "--set", "threads=1",
    "--set", "evals.core.n_eval_reconstruction_batches=1",
    "--set", "evals.core.n_eval_sparsity_variance_batches=1",
    "--set", "evals.mig.n_permutations=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def results(csae_bench: CsaeBench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eval_seeds")
    outcome = csae_bench(*ARGUMENTS, "--eval-seeds", "2", "--results", folder)
    assert outcome.exit_code == 0, outcome.stderr
    shown = " ".join(outcome.stdout.split())
    assert "mean ± sd of 2 eval seeds" in shown
    assert "±" not in shown.split("mig Mutual")[0], "core draws nothing at random"
    assert outcome.stderr.count("page: ") == 1, "repetitions are shown as one"
    return folder


def test_each_repetition_is_a_result_of_its_own_with_the_seed_in_its_settings(
    results: Path,
) -> None:
    files = sorted((results / "mig").glob("*_eval_results.json"))
    assert len(files) == 2
    assert len(list((results / "core").glob("*_eval_results.json"))) == 1
    read = [read_json(file) for file in files]
    provenances = [each["eval_result_unstructured"]["provenance"] for each in read]
    seeds = {p["conditions"].get("eval_seed", 0): p["eval_settings"]["seed"] for p in provenances}
    assert seeds == {0: 0, 1: 1}
    assert len({each["sae_lens_id"] for each in read}) == 1
    assert len({each["eval_result_metrics"]["scores"]["value_mig"] for each in read}) == 2


def test_what_is_there_is_not_measured_again(csae_bench: CsaeBench, results: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in results.glob("*/*_eval_results.json")}
    outcome = csae_bench(*ARGUMENTS, "--eval-seeds", "3", "--results", results)
    assert outcome.exit_code == 0, outcome.stderr
    after = {path: path.stat().st_mtime_ns for path in results.glob("*/*_eval_results.json")}
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 1


def test_compare_has_one_result_with_the_noise_of_the_eval(
    csae_bench: CsaeBench, results: Path
) -> None:
    outcome = csae_bench("compare", results, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    read = json.loads(outcome.stdout)["candidate"]["results"]
    (mig,) = [each for each in read if each["eval"] == "mig"]
    assert mig["n_repetitions"] >= 2
    assert mig["sd_of_eval"]["mig.value_mig"] > 0
    assert mig["variant"] == ""
