"""Peak memory of a step of a run."""

from __future__ import annotations

import resource
import sys


def peak_memory_gib(device: str) -> float:
    """Return the peak memory so far, in GiB: of the GPU if there is one, else of this process."""
    if device.startswith("cuda") and "torch" in sys.modules:
        import torch

        return round(torch.cuda.max_memory_allocated(device) / 2**30, 3)
    # ru_maxrss counts KiB on Linux and bytes on macOS
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30, 3)
