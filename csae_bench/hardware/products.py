"""Rate of matrix products of a device, measured."""

from __future__ import annotations

import time

_SIZE = 1024
_SECONDS = 0.3


def tflops(device: str, dtype: str) -> float:
    """Return the rate of square matrix products of size 1024, in 10^12 operations a second.

    The best of those that a third of a second holds, so that what else runs counts little. One
    number is copied back after each product, which on a GPU lowers the rate.

    Args:
        device: auto, cpu, cuda, cuda:1 or mps; the CPU where this machine lacks it.
        dtype: such as `bfloat16`.
    """
    import torch

    from csae_bench.errors import UsageError
    from csae_bench.hardware.devices import pick_device

    try:
        place = pick_device(device)
    except UsageError:
        place = "cpu"
    left, right = (
        torch.ones(_SIZE, _SIZE, device=place, dtype=getattr(torch, dtype)) for _ in range(2)
    )
    best, started = 0.0, time.perf_counter()
    while best == 0 or time.perf_counter() - started < _SECONDS:
        begun = time.perf_counter()
        (left @ right)[0, 0].item()
        best = max(best, 2 * _SIZE**3 / (time.perf_counter() - begun) / 1e12)
    return best
