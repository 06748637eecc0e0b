"""Several SAEs in one call: side by side in one process, and in several, with the same results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.comparing import assert_equal_results, results_of, weights_of
from tests.e2e.conftest import CUSTOM, CsaeBench

SECONDS = 300
"""Longest wait on a busy machine."""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "grid.yaml"
    path.write_text("sae.k: [12, 18]\nsae.losses.rows.weight: [0, 0.2]\n")
    return path


@pytest.fixture(scope="module")
def together(csae_bench: CsaeBench, sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the four SAEs, in one process."""
    results = tmp_path_factory.mktemp("together")
    outcome = csae_bench("run", *CUSTOM, "--sweep", sweep, "--results", results)
    assert outcome.exit_code == 0, outcome.stderr
    return results


def _command(sweep: Path, results: Path, *flags: str) -> list[str]:
    command = [sys.executable, "-m", "csae_bench.cli", "run", *CUSTOM, "--sweep", str(sweep)]
    return [*command, "--results", str(results), *flags]


def _hear_ctrl_c() -> None:
    """Undo that a shell has what it runs in the background, such as these tests, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in folder.glob("runs/*.json")]


def test_a_sweep_trains_side_by_side_what_shares_rows(together: Path) -> None:
    records = _records(together)
    assert [record["status"] for record in records] == ["ok"] * 4
    assert {record["training"]["n_side_by_side"] for record in records} == {4}
    ks = {record["config"]["sae"]["k"] for record in records}
    weights = {record["config"]["sae"]["losses"]["rows"]["weight"] for record in records}
    assert (ks, weights) == ({12, 18}, {0, 0.2})


def test_an_sae_of_a_sweep_is_the_one_that_set_makes(
    csae_bench: CsaeBench, together: Path, tmp_path: Path
) -> None:
    outcome = csae_bench(
        "run", *CUSTOM, "--set", "sae.k=12", "--set", "sae.losses.rows.weight=0.2",
        "--results", tmp_path,
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    ((name, result),) = results_of(tmp_path).items()
    assert results_of(together)[name] == result
    ((checkpoint, weights),) = weights_of(tmp_path)
    beside = dict(weights_of(together))[checkpoint]
    assert all((weights[key] == beside[key]).all() for key in weights)


def test_two_processes_give_the_results_of_one_to_the_bit(
    sweep: Path, together: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        _command(sweep, tmp_path, "--executor", "processes", "--workers", "2"),
        capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert_equal_results(together, tmp_path, n=4)
    assert {record["config"]["threads"] for record in _records(tmp_path)} == {1}
    assert {record["training"]["n_side_by_side"] for record in _records(tmp_path)} == {2}
    for what in ("worker 1: ", "worker 2: ", "4 of 4 SAEs done"):
        assert what in done.stderr


def _workers(parent: int) -> list[int]:
    """Process ids of the workers of a run."""
    ids: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            command = (path.parent / "cmdline").read_text()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == parent and "csae_bench.cli.worker" in command:
            ids.append(int(path.parent.name))
    return ids


def _wait_for(condition: Any, running: subprocess.Popen[str]) -> Any:
    until = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < until
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    return value


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(
    sweep: Path, together: Path, tmp_path: Path
) -> None:
    running = subprocess.Popen(
        _command(sweep, tmp_path, "--executor", "processes", "--workers", "2"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _wait_for(lambda: list(tmp_path.glob("checkpoints/*/*/training_log.jsonl")), running)
    os.kill(_wait_for(lambda: _workers(running.pid), running)[0], signal.SIGKILL)
    _, said = running.communicate(timeout=SECONDS)
    assert running.returncode == 0, said
    assert "was killed (signal 9" in said
    assert "attempt 2 of 3" in said
    assert_equal_results(together, tmp_path, n=4)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_after_ctrl_c_no_worker_is_left_and_the_same_command_ends_in_the_same_results(
    sweep: Path, together: Path, tmp_path: Path
) -> None:
    command = _command(sweep, tmp_path, "--executor", "processes", "--workers", "2")
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_ctrl_c,
    )
    _wait_for(lambda: list(tmp_path.glob("checkpoints/*/*/training_log.jsonl")), running)
    workers = _workers(running.pid)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=SECONDS)
    assert running.returncode == 4, said
    assert "Traceback" not in said
    assert not [worker for worker in workers if Path(f"/proc/{worker}/cmdline").exists()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert_equal_results(together, tmp_path, n=4)


def test_workers_without_processes_is_a_mistake(csae_bench: CsaeBench) -> None:
    outcome = csae_bench("doctor", "--sae", "random", "--workers", "2")
    assert outcome.exit_code == 2
    assert "--workers is for --executor processes" in outcome.stderr
