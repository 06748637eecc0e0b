"""Every output of two folders: the experiment that the project starts from, and five good runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from csae_bench.comparison.reading.folder import read_results
from csae_bench.errors import EXIT_FAILED, EXIT_OK
from tests.e2e import compare_folders as folders
from tests.e2e.conftest import CsaeBench, csae_bench  # noqa: F401 - a fixture
from tests.original_experiment import write_original_results


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return write_original_results(tmp_path / "seed")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return folders.family(tmp_path / "good", "custom_sae")


def _flags(place: Path) -> list[str | Path]:
    return ["--html", place / "r.html", "--md", place / "r.md", "--junit", place / "r.xml",
            "--plots", place / "plots"]  # fmt: skip


def test_the_original_runs_are_read_as_they_went(original: Path) -> None:
    runs = {run.sae_id: run for run in read_results(original).runs}
    assert [runs[f"run_{i}"].status for i in range(6)] == ["invalid", *["failed"] * 5]
    assert {runs[f"run_{i}"].executed_steps for i in range(1, 5)} == {0}
    assert [runs[f"run_{i}"].d_sae for i in range(6)] == [2304, 2304, 1024, 2304, 2304, None]
    assert runs["run_2"].learning_rate == 1e-4
    assert runs["run_5"].sparsity is None


def test_the_original_experiment_fails_with_its_reasons_in_every_output(
    csae_bench: CsaeBench,  # noqa: F811
    original: Path,
    tmp_path: Path,
) -> None:
    done = csae_bench("compare", original, *_flags(tmp_path))
    assert done.exit_code == EXIT_FAILED
    texts = [done.stdout, *((tmp_path / f"r.{kind}").read_text() for kind in ("html", "md", "xml"))]
    for text in texts:
        assert "1000 tokens / batch 2048 = 0 steps" in text
        assert "the output is all zero" in " ".join(text.split())
        assert "It was planned and never ran" in text
    assert (tmp_path / "plots" / "experiment_results.png").is_file()


def test_the_original_experiments_zeros_are_in_no_mean_and_no_figure(
    csae_bench: CsaeBench,  # noqa: F811
    original: Path,
    tmp_path: Path,
) -> None:
    shown = json.loads(csae_bench("compare", original, "--json", *_flags(tmp_path)).stdout)
    assert shown["families"] == []
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["experiment_results.png"]


def test_five_good_runs_have_means_with_intervals_in_every_output(
    csae_bench: CsaeBench,  # noqa: F811
    good: Path,
    tmp_path: Path,
) -> None:
    done = csae_bench("compare", good, *_flags(tmp_path))
    assert done.exit_code == EXIT_OK
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("CE loss score")]
    mean = 0.8 + sum(folders.NOISE) / len(folders.NOISE)
    assert float(line.split()[3]) == pytest.approx(mean, abs=5e-5)  # printed to four digits
    assert line.endswith(" 5")
    assert "Means, with 95% t intervals over seeds" in (tmp_path / "r.md").read_text()
    assert "custom_sae_seed4" in (tmp_path / "r.html").read_text()
    drawn = {path.name for path in (tmp_path / "plots").iterdir()}
    assert drawn >= {"experiment_results.png", "pareto_mig.value_mig.svg"}


def test_five_good_runs_and_a_worse_five_give_intervals_in_every_output(
    csae_bench: CsaeBench,  # noqa: F811
    good: Path,
    tmp_path: Path,
) -> None:
    worse = folders.family(
        tmp_path / "worse", "custom_sae", 0.7, noise=(0.001, 0.002, -0.001, 0.0, -0.002)
    )
    done = csae_bench("compare", worse, "--baseline", good, *_flags(tmp_path))
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("CE loss score ")]
    difference = line[line.index("-0.") : line.index("]") + 1]
    assert " worse " in line
    assert difference.replace("-", "\N{MINUS SIGN}") in (tmp_path / "r.html").read_text()
    assert difference.replace("[", "\\[").replace("]", "\\]") in (tmp_path / "r.md").read_text()
    assert (tmp_path / "plots" / "forest_core.ce_loss_score.png").is_file()
