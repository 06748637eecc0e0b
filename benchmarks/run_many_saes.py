"""Eight SAEs judged in one run against one: `run --sae A --sae B ...`, and `run --sae A`.

The default evals on the bundled model, in a process of its own each, start-up included. The SAEs
are made beforehand, side by side, trained for 100 steps at learning rates that hardly differ: they
are as sparse as real ones, and all alike, for the evals' cost depends on it. The seconds of each
eval go to stderr: what the first SAE paid for all, and what a further one costs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FIGURES = ("evals_8_saes_ratio",)
EVALS = "core,mig,factor_vae,feature_correlation,unlearning,factor_probing"
"""Those that configurations of the bundled model have."""
N_SAES = 8
SHORT = {"n_tokens": 204_800, "lr_warm_up_steps": 10, "lr_decay_steps": 20}


def main() -> None:
    """Print the figure."""
    with tempfile.TemporaryDirectory() as folder:
        saes = built(Path(folder), N_SAES)
        one, of_one = _run(saes[:1], Path(folder) / "one")
        all_of_them, of_all = _run(saes, Path(folder) / "all")
    for name in EVALS.split(","):
        first, further = _seconds(of_all[0], name), _seconds(of_all[-1], name)
        print(
            f"{name}: {_seconds(of_one[0], name):.1f} s alone, {first:.1f} s first of {N_SAES}, "
            f"{further:.1f} s last of them",
            file=sys.stderr,
        )
    print(f"one {one:.1f} s, {N_SAES} {all_of_them:.1f} s", file=sys.stderr)
    print(f"BENCH evals_8_saes_ratio {all_of_them / one:.2f} ratio")


def built(folder: Path, n_saes: int) -> list[Path]:
    """Return the folders of SAEs of custom_sae's size and sparsity, trained for 100 steps."""
    sweep = folder / "sweep.yaml"
    rates = [f"{2e-3 * (1 + i / 1000):.6f}" for i in range(n_saes)]
    sweep.write_text(f"training.learning_rate: [{', '.join(rates)}]\n")
    command = [sys.executable, "-m", "csae_bench.cli", "train", "--sae", "batchtopk"]
    command += ["--sweep", str(sweep), "--results", str(folder / "made")]
    for key, value in SHORT.items():
        command += ["--set", f"training.{key}={value}"]
    made = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [Path(line) for line in made.stdout.splitlines()]


def _run(saes: list[Path], results: Path) -> tuple[float, list[dict[str, Any]]]:
    command = [sys.executable, "-m", "csae_bench.cli", "run", "--evals", EVALS]
    command += ["--results", str(results), "--json"]
    for sae in saes:
        command += ["--sae", str(sae)]
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise RuntimeError(f"the run ended with {done.returncode}: {done.stdout[-2000:]}")
    records = json.loads(done.stdout)
    return seconds, records if isinstance(records, list) else [records]


def _seconds(record: dict[str, Any], name: str) -> float:
    return float(record["cells"][name]["wall_seconds"])
