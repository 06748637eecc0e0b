"""A second run with nothing to do: the whole process, with the bundled model and with a large one.

The large one is a folder of 2 GB in Gemma 2's form whose weights nobody reads: what is there was
evaluated, and hashes of files that have not changed are kept.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FIGURES = ("nothing_to_do_seconds", "nothing_to_do_2gb_seconds")
N_RUNS = 5
PADDING_BYTES = 2 * 10**9


def main() -> None:
    """Print both figures, medians of five runs."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        print(f"BENCH nothing_to_do_seconds {_median(place, 'tiny-gemma2-it'):.2f} s")
        model = _large_model(place / "large")
        print(f"BENCH nothing_to_do_2gb_seconds {_median(place, str(model)):.2f} s")


def _median(place: Path, model: str) -> float:
    command = [sys.executable, "-m", "csae_bench.cli", "run", "--sae", "identity"]
    command += ["--model", model, "--evals", "mig", "--results", str(place / Path(model).name)]
    command += ["--set", "evals.mig.n_permutations=2"]
    if model != "tiny-gemma2-it":
        command += ["--set", "hook_name=blocks.2.hook_resid_post"]
    times: list[float] = []
    for i in range(N_RUNS + 1):
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-2000:])
        if i:  # the first one does the work
            times.append(time.perf_counter() - started)
        time.sleep(2.5)  # files that were just written are read again
    return statistics.median(times)


def _large_model(folder: Path) -> Path:
    """Write the bundled model with 2 GB of neurons that do nothing: all their weights are 0."""
    import torch
    from safetensors.torch import load_file, save_file

    from csae_bench import tinyworld

    shutil.copytree(tinyworld.model_dir(), folder)
    weights = folder / "model.safetensors"
    tensors = {name: tensor.double() for name, tensor in load_file(weights).items()}
    gates = [name for name in tensors if name.endswith("mlp.gate_proj.weight")]
    d_mlp, d_model = tensors[gates[0]].shape
    n_added = PADDING_BYTES // (3 * len(gates) * d_model * tensors[gates[0]].element_size())
    for name, tensor in tensors.items():
        if ".mlp." in name and name.endswith("_proj.weight"):
            dim = 1 if "down_proj" in name else 0
            shape = (d_model, n_added) if dim else (n_added, d_model)
            tensors[name] = torch.cat([tensor, tensor.new_zeros(shape)], dim)
    save_file(tensors, weights, metadata={"format": "pt"})
    config = folder / "config.json"
    values = json.loads(config.read_text()) | {"intermediate_size": d_mlp + n_added}
    config.write_text(json.dumps(values))
    return folder
