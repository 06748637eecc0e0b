"""The machine as far as floating-point results depend on it, and one thread for all of them."""

from __future__ import annotations

import os
import platform
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

OVERRIDES = ("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE")
"""Environment variables that make a math library take other kernels; ATEN_CPU_CAPABILITY shows in
`capability`."""
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn")

Machine = dict[str, str]


def fingerprint() -> Machine:
    """Return what has to be equal for results to be equal to the last few bits."""
    import torch

    return {
        "processor": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        **{library: version(library) for library in LIBRARIES},
        **{name: os.environ[name] for name in OVERRIDES if name in os.environ},
    }


@contextmanager
def threads(n: int = 1) -> Generator[None]:
    """Limit torch and the BLAS of numpy and scipy to `n` threads."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with threadpool_limits(n):
            yield
    finally:
        torch.set_num_threads(before)


def _processor() -> str:
    """Name, family and model: virtual machines call several generations `AMD EPYC`."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return f"{platform.machine()} {platform.processor()}"
    lines = (line.partition(":") for line in info.read_text(encoding="utf-8").splitlines())
    first = {}
    for key, _, value in lines:
        first.setdefault(key.strip(), value.strip())
    name = first.get("model name", platform.machine())
    return f"{name}, family {first.get('cpu family', '?')}, model {first.get('model', '?')}"
