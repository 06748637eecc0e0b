"""Which device a run uses."""

from __future__ import annotations

import re

from csae_bench.errors import UsageError


def pick_device(wanted: str) -> str:
    """The device that `wanted` names: `auto` is cuda where there is a GPU, else cpu.

    Raises:
        UsageError: not a device's name, or a device that this machine does not have.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", wanted):
        raise UsageError(f"device is '{wanted}'; it must be auto, cpu, cuda, cuda:<number> or mps.")
    if wanted == "cpu":
        return "cpu"
    import torch

    n_gpus = torch.cuda.device_count()
    if wanted == "auto":
        return "cuda" if n_gpus else "cpu"
    if wanted == "mps":
        if torch.backends.mps.is_available():
            return "mps"
        raise UsageError("device is 'mps'; this machine has no Apple GPU. Use cpu.")
    index = int(wanted.partition(":")[2] or 0)
    if index >= n_gpus:
        raise UsageError(
            f"device is '{wanted}'; this machine has {n_gpus or 'no'} GPU. Use cpu or auto."
        )
    return wanted
