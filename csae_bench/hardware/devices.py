"""Choice of the device of a run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from csae_bench.errors import UsageError


def pick_device(wanted: str) -> str:
    """Return the device that `wanted` names: `auto` is cuda where there is a GPU, else cpu.

    Raises:
        UsageError: not a device's name, or a device that this machine does not have.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", wanted):
        raise UsageError(f"device is '{wanted}'; it must be auto, cpu, cuda, cuda:<number> or mps.")
    if wanted == "cpu":
        return "cpu"
    if wanted == "mps":
        import torch

        if torch.backends.mps.is_available():
            return "mps"
        raise UsageError("device is 'mps'; this machine has no Apple GPU. Use cpu.")
    n_gpus = _count_gpus()
    if wanted == "auto":
        return "cuda" if n_gpus else "cpu"
    index = int(wanted.partition(":")[2] or 0)
    if index >= n_gpus:
        raise UsageError(
            f"device is '{wanted}'; this machine has {n_gpus or 'no'} GPU. Use cpu or auto."
        )
    return wanted


def _count_gpus() -> int:
    # importing torch takes longer than all the rest of a run with nothing to do
    if not Path("/dev/nvidiactl").exists() and shutil.which("nvidia-smi") is None:
        return 0
    import torch

    return torch.cuda.device_count()
