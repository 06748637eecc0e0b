"""Peak memory of steps of the contrastive objective, and of SAELens's step of its TopK class.

The steps of `contrastive_step`, two of either and one of them measuring gradients, in a process of
its own each, libraries and batch included; and two of ours with d_sae 65536.
"""

from __future__ import annotations

import subprocess
import sys

FIGURES = ("contrastive_peak_memory_ratio", "contrastive_65k_peak_memory")


def main() -> None:
    """Print both figures."""
    stock, ours, wide = (
        _peak_gib(*arguments)
        for arguments in (("stock", 16384), ("contrastive", 16384), ("contrastive", 65536))
    )
    print(f"peak memory: stock {stock:.2f} GiB, contrastive {ours:.2f} GiB", file=sys.stderr)
    print(f"BENCH contrastive_peak_memory_ratio {ours / stock:.3f} ratio")
    print(f"BENCH contrastive_65k_peak_memory {wide:.2f} GiB")


def _peak_gib(name: str, d_sae: int) -> float:
    code = f"from benchmarks.contrastive_memory import two_steps; two_steps({name!r}, {d_sae})"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def two_steps(name: str, d_sae: int) -> None:
    """Make two steps, the second one measuring, and print the peak memory of this process."""
    from benchmarks.contrastive_step import step_of
    from csae_bench.hardware.peak_memory import peak_memory_gib

    step = step_of(name, d_sae)
    for measuring in (False, True):
        step(measuring)
    print(peak_memory_gib("cpu"))


if __name__ == "__main__":
    main()
