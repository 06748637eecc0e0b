"""What Ray costs: the same matrix on a local Ray cluster, and in as many worker processes.

Four SAEs x the default evals of the bundled model, by two workers of one core each. The SAEs are
made beforehand as in `run_many_saes`. Both kinds of run alternate, whole processes with their
imports; the seconds in which Ray starts are subtracted and printed by themselves, for a cluster
that is there has them once.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.run_many_saes import EVALS, built

FIGURES = ("ray_overhead", "ray_start_seconds")
N_SAES = 4
N_WORKERS = 2
N_ROUNDS = 3
_STARTED = re.compile(r"a local Ray cluster was started in ([\d.]+) s")


def main(evals: str = EVALS, n_rounds: int = N_ROUNDS, sets: Sequence[str] = ()) -> None:
    """Print the figures.

    Args:
        evals: that are run; fewer for a trial.
        n_rounds: runs of each kind.
        sets: further values of `--set`.
    """
    processes: list[float] = []
    ray: list[float] = []
    starts: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        saes = built(Path(folder), N_SAES)
        for i in range(n_rounds):
            common = ["--evals", evals, *(flag for one in sets for flag in ("--set", one))]
            seconds, _ = _run(saes, "processes", Path(folder) / f"processes{i}", common)
            processes.append(seconds)
            seconds, start = _run(saes, "ray", Path(folder) / f"ray{i}", common)
            ray.append(seconds - start)
            starts.append(start)
            print(
                f"processes {processes[-1]:.1f} s, ray {ray[-1]:.1f} s, its start {start:.1f} s",
                file=sys.stderr,
            )
    overhead = statistics.median(ray) / statistics.median(processes)
    print(f"BENCH ray_overhead {overhead:.3f} ratio")
    print(f"BENCH ray_start_seconds {statistics.median(starts):.1f} s")


def _run(saes: list[Path], executor: str, results: Path, common: list[str]) -> tuple[float, float]:
    """Return the seconds of a run, and those of them in which Ray started."""
    command = [sys.executable, "-m", "csae_bench.cli", "run", *common, "--set", "threads=1"]
    command += ["--executor", executor, "--workers", str(N_WORKERS), "--results", str(results)]
    for sae in saes:
        command += ["--sae", str(sae)]
    env = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise RuntimeError(f"{executor} ended with {done.returncode}: {done.stderr[-2000:]}")
    start = _STARTED.search(done.stderr)
    return seconds, 0.0 if start is None else float(start[1])


if __name__ == "__main__":
    main()
