"""The report while a run goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from csae_bench.runs.request import RunRequest
from csae_bench.runs.run import run_all
from tests.e2e.conftest import CsaeBench

MIG = ("--evals", "mig", "--set", "evals.mig.n_permutations=2")


class _Follower:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.n_steps = 0
        self.n_done: list[int] = []

    def began(self, n_steps: int) -> None:
        self.n_steps = n_steps

    def ended(self, n_done: int) -> None:
        self.n_done.append(n_done)


def test_a_follower_is_told_of_every_step(tmp_path: Path) -> None:
    follower = _Follower()
    request = RunRequest(
        source="identity", results=tmp_path, evals=("mig",),
        sets=("evals.mig.n_permutations=2",),
    )  # fmt: skip
    (outcome,) = run_all([request], follower=follower)
    assert outcome.exit_code == 0
    assert follower.n_steps == 3
    assert follower.n_done == [1, 2, 3]


def test_the_report_of_a_run_that_is_done_waits_for_nothing(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    outcome = csae_bench("run", "--sae", "identity", *MIG, "--results", tmp_path)
    assert outcome.exit_code == 0, outcome.stderr
    report = tmp_path / "report.html"
    assert f"report: {report} (rewritten as steps end; an open page follows)" in outcome.stderr
    page = report.read_text(encoding="utf-8")
    assert 'id="live"' not in page
    assert "identity" in page


def test_a_run_that_preflight_refuses_has_no_report(csae_bench: CsaeBench, tmp_path: Path) -> None:
    outcome = csae_bench("run", "--sae", "identity", "--model", "no-such", "--results", tmp_path)
    assert outcome.exit_code == 2
    assert not (tmp_path / "report.html").exists()


@pytest.mark.slow
def test_the_report_of_a_killed_run_says_that_it_is_not_finished(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "csae_bench.cli", "run", "--sae", "identity", *MIG]
    report = tmp_path / "report.html"
    with subprocess.Popen(
        [*command, "--results", str(tmp_path)], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 300
        while not report.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    assert "This run is not finished." in report.read_text(encoding="utf-8")
