"""A second run with nothing to do: the whole process, with the bundled model and with a large one.

The large one is a folder of 2 GB: what is there was evaluated, and hashes of files that have not
changed are kept, so that no run reads them again. The ratio is to starts of Python with libraries
that every command needs.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.timing import seconds_of_command, seconds_of_start

FIGURES = ("nothing_to_do_ratio", "nothing_to_do_seconds", "nothing_to_do_2gb_seconds")
N_RUNS = 5
PADDING_BYTES = 2 * 10**9
_ZEROS = bytes(10**7)


def main() -> None:
    """Print the figures, medians of five runs."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        bundled = _median(place, "tiny-gemma2-it")
        print(f"BENCH nothing_to_do_ratio {bundled / seconds_of_start():.2f} ratio")
        print(f"BENCH nothing_to_do_seconds {bundled:.2f} s")
        model = _large_model(place / "large")
        print(f"BENCH nothing_to_do_2gb_seconds {_median(place, str(model)):.2f} s")


def _median(place: Path, model: str) -> float:
    command = ["run", "--sae", "identity"]
    command += ["--model", model, "--evals", "mig", "--results", str(place / Path(model).name)]
    command += ["--set", "evals.mig.n_permutations=2"]
    if model != "tiny-gemma2-it":
        command += ["--set", "hook_name=blocks.2.hook_resid_post"]
    times: list[float] = []
    for i in range(N_RUNS + 1):
        taken = seconds_of_command(*command)
        if i:  # the first one does the work
            times.append(taken)
        time.sleep(2.5)  # files that were just written are read again
    return statistics.median(times)


def _large_model(folder: Path) -> Path:
    """Copy the bundled model, and add 2 GB of zeros as `tokenizer.model`.

    That file enters the model's fingerprint as the weights do, in the same pass over bytes, and
    nothing reads it where there is a tokenizer.json: so the run that does the work is short.
    """
    from csae_bench import tinyworld

    shutil.copytree(tinyworld.model_dir(), folder)
    with (folder / "tokenizer.model").open("wb") as file:
        for _ in range(PADDING_BYTES // len(_ZEROS)):
            file.write(_ZEROS)
    return folder
