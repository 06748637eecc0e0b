"""What the card does at its best: matrix products by data type, and copies."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.on_gpu.measuring import GpuReport, seconds_of
from benchmarks.on_gpu.sizes import Size, size

if TYPE_CHECKING:
    import torch

PRECISIONS = {"fp32": "highest", "tf32": "high"}
"""`torch.set_float32_matmul_precision` by the figures' name of it; torch's own is `highest`."""

N_WARM_UP, N_TIMED = 3, 10


def run(report: GpuReport) -> None:
    """Measure the card and describe it."""
    of = size(report.is_small)
    report.part("description", lambda: report.detail("card", description(report.device)))
    report.part("matmul rates", lambda: _rates(report, of))
    report.part("copy bandwidth", lambda: _copies(report, of))


def description(device: str) -> dict[str, Any]:
    """Return the names and versions that the figures hold for."""
    import platform

    import torch

    described: dict[str, Any] = {
        "device": device,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
    }
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        described |= {
            "name": properties.name,
            "memory_gib": round(properties.total_memory / 2**30, 1),
            "multiprocessors": properties.multi_processor_count,
            "capability": f"{properties.major}.{properties.minor}",
        }
    return described


def _rates(report: GpuReport, of: Size) -> None:
    for name, rate in matmul_rates(of, report.device).items():
        report.figure(f"gpu_{name}_matmul", round(rate / 1e12, 1), "TFLOP/s")


def matmul_rates(of: Size, device: str) -> dict[str, float]:
    """Operations a second of a square product of random matrices, by data type."""
    import torch

    rates = {"bf16": _rate(of.matmul, torch.bfloat16, device)}
    for name in PRECISIONS:
        with matmul_precision(name):
            rates[name] = _rate(of.matmul, torch.float32, device)
    return rates


@contextmanager
def matmul_precision(name: str) -> Generator[None]:
    """Compute float32 products at a precision of `PRECISIONS` within."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(PRECISIONS[name])
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _rate(side: int, dtype: torch.dtype, device: str) -> float:
    import torch

    # random, not zeros: a card multiplies zeros faster
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    return 2.0 * side**3 / _median_seconds(lambda: torch.mm(a, b, out=out), device)


def _copies(report: GpuReport, of: Size) -> None:
    import torch

    source = torch.randint(0, 100, (of.copy_bytes,), dtype=torch.uint8, device=report.device)
    target = torch.empty_like(source)
    seconds = _median_seconds(lambda: target.copy_(source), report.device)
    report.figure("gpu_copy_bandwidth", round(2 * of.copy_bytes / seconds / 1e9), "GB/s")


def _median_seconds(work: Callable[[], object], device: str) -> float:
    times = [seconds_of(work, device) for _ in range(N_WARM_UP + N_TIMED)]
    return median(times[N_WARM_UP:])
