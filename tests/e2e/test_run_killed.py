"""Runs that are killed between two cells, and two runs on one folder at once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import CUSTOM

SECONDS = 240
"""Longest wait for a result on a busy machine."""


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "few.csv"
    lines = [
        f"{template} {who} runs .,{who}" for template in "abcd" for who in ("she", "he", "they")
    ]
    path.write_text("\n".join(["text,who", *lines]))
    return path


def _command(results: Path, prompts: Path, evals: str) -> list[str]:
    sets = [f"evals.{name}.factors={prompts}" for name in evals.split(",")]
    sets += [f"evals.{name}.n_permutations=5" for name in evals.split(",")]
    command = [sys.executable, "-m", "csae_bench.cli", "run", "--sae", "identity"]
    return [
        *command,
        "--evals",
        evals,
        "--results",
        str(results),
        *(part for s in sets for part in ("--set", s)),
    ]


def _wait_for(results: Path, pattern: str, running: subprocess.Popen[Any]) -> None:
    until = time.monotonic() + SECONDS
    while not list(results.glob(pattern)):
        assert time.monotonic() < until
        assert running.poll() is None, "it ended before it could be stopped"
        time.sleep(0.01)


def _record(results: Path) -> dict[str, Any]:
    (path,) = (results / "runs").glob("*.json")
    return json.loads(path.read_text())


def _results(results: Path) -> list[str]:
    return sorted(path.parent.name for path in results.glob("*/*_eval_results.json"))


def test_a_run_that_is_killed_between_two_cells_is_completed_by_the_next(
    prompts: Path, tmp_path: Path
) -> None:
    results = tmp_path / "r"
    command = _command(results, prompts, "mig,feature_correlation")
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait_for(results, "mig/*.json", running)
    running.send_signal(signal.SIGKILL)
    running.wait()
    filed = {path: path.read_bytes() for path in results.glob("mig/*.json")}
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    record = _record(results)
    assert record["status"] == "ok"
    assert {name: cell["status"] for name, cell in record["cells"].items()} == {
        "training": "skipped",
        "validity": "ok",
        "mig": "ok",
        "feature_correlation": "ok",
    }
    assert {path: path.read_bytes() for path in results.glob("mig/*.json")} == filed
    assert _results(results) == ["feature_correlation", "mig"]


def test_sigterm_during_a_training_saves_its_state_and_begins_no_other(tmp_path: Path) -> None:
    sweep, results = tmp_path / "sweep.yaml", tmp_path / "r"
    sweep.write_text("seed: [0, 1]\n")  # of other rows: one after the other
    command = [sys.executable, "-m", "csae_bench.cli", "train", *CUSTOM, "--sweep", str(sweep)]
    command += ["--set", "training.checkpoint_every=5", "--results", str(results)]
    running = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    _wait_for(results, "checkpoints/*/*/trainer", running)
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate()
    assert running.returncode == 4
    assert "Training stopped after step" in said
    assert "Not begun: the run was stopped by SIGTERM" in said
    assert "Traceback" not in said
    assert len(list(results.glob("checkpoints/*/*/"))) == 1  # a file is a lock


def test_two_processes_on_one_folder_lose_and_double_nothing(prompts: Path, tmp_path: Path) -> None:
    results = tmp_path / "r"
    commands = [
        _command(results, prompts, evals) for evals in ("mig,factor_vae", "feature_correlation,mig")
    ]
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    for process in running:
        _, said = process.communicate()
        assert process.returncode == 0, said
    record = _record(results)
    assert record["status"] == "ok"
    assert set(record["cells"]) == {
        "training", "validity", "mig", "factor_vae", "feature_correlation",
    }  # fmt: skip
    assert _results(results) == ["factor_vae", "feature_correlation", "mig"]


def test_a_record_that_is_lost_is_made_of_its_cells(prompts: Path, tmp_path: Path) -> None:
    results = tmp_path / "r"
    subprocess.run(_command(results, prompts, "mig"), check=True, capture_output=True)
    (path,) = (results / "runs").glob("*.json")
    path.unlink()
    command = _command(results, prompts, "feature_correlation")
    subprocess.run(command, check=True, capture_output=True)
    assert list(_record(results)["cells"]) == [
        "training", "validity", "feature_correlation", "mig",
    ]  # fmt: skip
