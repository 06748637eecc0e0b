"""A run that is killed at ten random moments ends, started again, as if it had not been killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.comparing import assert_equal_results
from tests.e2e.conftest import CUSTOM

SECONDS = 600
"""Longest run on a busy machine."""
N_KILLS = 10


def _command(results: Path, *flags: str) -> list[str]:
    command = [sys.executable, "-m", "csae_bench.cli", "run", *CUSTOM, *flags]
    return [*command, "--evals", "core,mig", "--set", "evals.mig.n_permutations=5",
            "--set", "training.checkpoint_every=5", "--results", str(results)]  # fmt: skip


def _run(command: list[str]) -> float:
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - started


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--executor", "processes", "--workers", "2")])
def test_killed_at_random_moments_it_ends_in_the_same_results(
    flags: tuple[str, ...], tmp_path: Path
) -> None:
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text("sae.k: [12, 18]\n")
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    seconds = _run(_command(undisturbed, "--sweep", str(sweep), *flags))
    moments = random.Random(0)
    for _ in range(N_KILLS):
        running = subprocess.Popen(
            _command(killed, "--sweep", str(sweep), *flags),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):  # or it ended before
            running.wait(moments.uniform(0.2, 1) * seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    _run(_command(killed, "--sweep", str(sweep), *flags))
    assert_equal_results(undisturbed, killed, n=4)
