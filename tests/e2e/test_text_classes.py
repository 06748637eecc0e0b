"""sparse_probing, tpp and scr from the command line, on texts of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from csae_bench.evals import get_eval
from csae_bench.results.envelope import value_at
from tests.e2e.conftest import CsaeBench

EVALS = ("sparse_probing", "tpp", "scr")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two labels that the bundled model can tell, in all combinations."""
    path = tmp_path_factory.mktemp("texts") / "texts.csv"
    rows = [
        f"{'it is said that ' * (i % 4)}the {who} saw the {what} {'again ' * (i // 4)},{who},{what}"
        for i in range(80)
        for who in ("king", "queen")
        for what in ("comet", "medal")
    ]
    path.write_text("\n".join(["text,who,what", *rows]) + "\n")
    return path


def _results(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in EVALS
        for path in (folder / name).glob("*_eval_results.json")
    }


def test_ones_own_texts_give_results_that_sae_bench_accepts(
    csae_bench: CsaeBench, texts: Path, tmp_path: Path
) -> None:
    settings = {
        "sparse_probing.dataset_names": f"[{texts}:who]",
        "tpp.dataset_names": f"[{texts}:what]",
        "scr.dataset_names": f"[{texts}:who*what]",
        "tpp.probe_epochs": "3",
        "scr.probe_epochs": "3",
    }
    options = [
        part for key, value in settings.items() for part in ("--set", f"evals.{key}={value}")
    ]
    done = csae_bench(
        "run", "--sae", "random", "--evals", ",".join(EVALS), "--set", "threads=1", *options,
        "--results", tmp_path,
    )  # fmt: skip
    assert done.exit_code == 0, done.stdout + done.stderr
    results = _results(tmp_path)
    assert set(results) == set(EVALS)  # the harness has validated them against SAE-Bench's models
    for name, result in results.items():
        spec = get_eval(name)
        reasons = result["eval_result_unstructured"]["reasons"]
        for place in spec.headline.values():
            value = value_at(result, place)
            assert value is not None or place.partition(".")[2] in reasons, place
        for metric in spec.metrics:
            if metric.startswith("corrected."):
                field = metric.removeprefix("corrected.")
                value = result["eval_result_unstructured"]["corrected"][field]
                assert value is not None or metric in reasons, metric
    llm = results["sparse_probing"]["eval_result_metrics"]["llm"]
    assert llm["llm_test_accuracy"] > 0.9


def test_texts_that_are_too_few_are_named_before_anything_is_loaded(
    csae_bench: CsaeBench, texts: Path, tmp_path: Path
) -> None:
    done = csae_bench(
        "run", "--sae", "random", "--evals", "tpp",
        "--set", f"evals.tpp.dataset_names=[{texts}:who]",
        "--set", "evals.tpp.train_set_size=4000", "--results", tmp_path,
    )  # fmt: skip
    assert done.exit_code == 2
    assert "evals.tpp.dataset_names: dataset" in " ".join((done.stdout + done.stderr).split())
    assert _results(tmp_path) == {}


def test_doctor_says_what_cannot_be_checked(csae_bench: CsaeBench, tmp_path: Path) -> None:
    done = csae_bench(
        "doctor", "--sae", "random", "--evals", "sparse_probing",
        "--set", "evals.sparse_probing.dataset_names=[sae_bench]", "--results", tmp_path,
    )  # fmt: skip
    assert done.exit_code == 0
    assert "'fancyzhx/ag_news' is on the hub: not checkable here" in " ".join(done.stdout.split())
