"""Four SAEs judged in one run against one: `run --sae A --sae B --sae C --sae D`, and `--sae A`.

The default evals on the bundled model, in a process of its own each, start-up included. The SAEs
are made beforehand, trained for 100 steps: they are as sparse as real ones, which the evals' cost
depends on. The seconds of each eval go to stderr: what the first SAE paid for all, and what a
further one costs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FIGURES = ("run_4_saes_ratio",)
EVALS = "core,mig,factor_vae,feature_correlation,unlearning,factor_probing"
"""Those that configurations of the bundled model have."""
N_SAES = 4
SHORT = {"n_tokens": 204_800, "lr_warm_up_steps": 10, "lr_decay_steps": 20}


def main() -> None:
    """Print the figure."""
    with tempfile.TemporaryDirectory() as folder:
        saes = _built(Path(folder))
        one, of_one = _run(saes[:1], Path(folder) / "one")
        four, of_four = _run(saes, Path(folder) / "four")
    for name in EVALS.split(","):
        first, further = _seconds(of_four[0], name), _seconds(of_four[-1], name)
        print(
            f"{name}: {_seconds(of_one[0], name):.1f} s alone, {first:.1f} s first of four, "
            f"{further:.1f} s last of four",
            file=sys.stderr,
        )
    print(f"one {one:.1f} s, four {four:.1f} s", file=sys.stderr)
    print(f"BENCH run_4_saes_ratio {four / one:.2f} ratio")


def _built(folder: Path) -> list[Path]:
    """Return the folders of four SAEs of custom_sae's size and sparsity, trained for 100 steps."""
    import csae_bench

    short = {f"training.{key}": value for key, value in SHORT.items()}
    return [
        csae_bench.train("batchtopk", set=short, results=folder / "made", seed=seed)
        for seed in range(N_SAES)
    ]


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
