"""csae_bench/cli/ending.py."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from csae_bench.cli.ending import name_next_step, write_report
from csae_bench.comparison.outputs.sae_cards import read_run
from csae_bench.errors import RunError
from csae_bench.results.store import Store
from csae_bench.runs.run import RunOutcome

STORED = Path(__file__).parents[2] / "data" / "first_cut"
NAME = "tiny-gemma2-it_layer_2_sae_custom_sae_small"


def _outcome(source: str = "custom_sae", error: BaseException | None = None) -> RunOutcome:
    record = read_run(STORED / "runs" / f"{NAME}.json")
    assert record is not None
    return RunOutcome(
        record=record.model_copy(update={"source": source}),
        record_path=None,
        checkpoint=None,
        error=error,
    )


def test_the_report_of_a_folder_has_all_of_its_saes(tmp_path: Path) -> None:
    shutil.copytree(STORED, tmp_path / "results")
    store = Store(tmp_path / "results")
    assert write_report(store) == (store.report, 3)
    assert "custom_sae_small_seed2" in store.report.read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_is_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(STORED, tmp_path / "results")
    store = Store(tmp_path / "results")
    store.report.mkdir()
    assert write_report(store) == (None, 0)
    assert capsys.readouterr().err.startswith("note: no report: ")


@pytest.mark.parametrize(
    ("source", "folder", "n_saes", "step"),
    [
        ("custom_sae", "results", 1, "csae-bench run --sae batchtopk  "),
        ("custom_sae", "my results", 1, "csae-bench run --sae batchtopk --results 'my results'  "),
        ("topk", "results", 1, "csae-bench run --sae pca  "),
        ("topk", "results", 2, "csae-bench compare results  "),
    ],
)
def test_the_next_command_is_another_sae_and_then_a_comparison(
    source: str, folder: str, n_saes: int, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name_next_step([_outcome(source)], Store(Path(folder)), n_saes)
    assert capsys.readouterr().err.startswith(f"next: {step}(")


def test_after_a_failure_no_next_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    name_next_step([_outcome(error=RunError("training failed"))], Store(Path("results")), 1)
    assert capsys.readouterr().err == ""
