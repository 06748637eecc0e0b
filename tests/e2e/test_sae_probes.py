"""sae-probes from the command line, on datasets of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas
import pytest
from jsonschema import Draft202012Validator

from csae_bench.evals.schemas import schema_path
from tests.e2e.conftest import CsaeBench


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two datasets that the bundled model can tell apart."""
    made = tmp_path_factory.mktemp("datasets")
    for name, ends in {"who": ("king", "queen"), "what": ("comet", "medal")}.items():
        rows = [(f"{'it is said that ' * (i % 3)}the {ends[i % 2]}", i % 2) for i in range(120)]
        frame = pandas.DataFrame(rows, columns=["prompt", "target"])
        frame.to_csv(made / f"{name}.csv.zst", index=False, compression="zstd")
    return made


def _run(
    csae_bench: CsaeBench, results: Path, data: Path, *more: str
) -> tuple[int, str, dict[str, Any]]:
    done = csae_bench(
        "run", "--sae", "random", "--evals", "sparse_probing_sae_probes", "--set", "threads=1",
        "--set", f"evals.sparse_probing_sae_probes.data={data}", *more, "--results", results,
    )  # fmt: skip
    measured = list((results / "sparse_probing_sae_probes").glob("*.json"))
    result = json.loads(measured[0].read_text(encoding="utf-8")) if measured else {}
    return done.exit_code, done.stdout + done.stderr, result


def test_a_folders_datasets_give_a_result_that_fits_its_schema(
    csae_bench: CsaeBench, folder: Path, tmp_path: Path
) -> None:
    code, output, result = _run(csae_bench, tmp_path, folder)
    assert code == 0, output
    schema = json.loads(schema_path("sparse_probing_sae_probes").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(result)
    assert result["eval_type_id"] == "sparse_probing_sae_probes"
    details = result["eval_result_details"]
    assert [entry["dataset_name"] for entry in details] == ["what", "who"]
    assert result["eval_result_metrics"]["llm"]["llm_test_auc"] == 1.0
    reasons = result["eval_result_unstructured"]["reasons"]
    assert reasons["sae_top_20_test_auc"] == "20 is not among evals.sparse_probing_sae_probes.ks"


@pytest.mark.slow
def test_other_data_are_evaluated_again_and_the_same_are_not(
    csae_bench: CsaeBench, folder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "who.csv.zst").write_bytes((folder / "who.csv.zst").read_bytes())
    first = _run(csae_bench, tmp_path, data)[2]
    again = _run(csae_bench, tmp_path, data)[2]
    assert again["eval_id"] == first["eval_id"]
    (data / "what.csv.zst").write_bytes((folder / "what.csv.zst").read_bytes())
    assert _run(csae_bench, tmp_path, data)[2] == first  # what is of other data lies next to it
    (more,) = (
        result
        for path in tmp_path.rglob("*_eval_results.json")
        if (result := json.loads(path.read_text()))["eval_id"] != first["eval_id"]
    )
    assert len(more["eval_result_details"]) == 2


def test_missing_data_are_found_before_anything_is_loaded(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    code, output, result = _run(csae_bench, tmp_path, tmp_path / "nowhere")
    assert code == 2
    assert "evals.sparse_probing_sae_probes: data is" in output
    assert "it must be `package` or a folder" in " ".join(output.split())
    assert result == {}


def test_doctor_names_a_dataset_that_is_not_there(csae_bench: CsaeBench, tmp_path: Path) -> None:
    done = csae_bench(
        "doctor", "--sae", "random", "--evals", "sparse_probing_sae_probes",
        "--set", "evals.sparse_probing_sae_probes.datasets=[5_hist_fig_ismail]",
        "--results", tmp_path,
    )  # fmt: skip
    assert done.exit_code == 2
    assert "Did you mean '5_hist_fig_ismale'" in " ".join(done.stdout.split())
