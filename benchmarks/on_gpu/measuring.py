"""Times, peak memories and the report of a section, on a GPU or, at small size, on a CPU."""

from __future__ import annotations

import gc
import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

GIB = 2**30


@dataclass
class GpuReport:
    """Figures, details and errors of one section, on disk as soon as they are known.

    A section that is stopped by its deadline, or dies, loses what it had not measured, no more.
    """

    path: Path | None
    """File that each change is written to; none: kept in memory alone."""
    device: str
    is_small: bool
    deadline: float
    """By `time.monotonic`; a part that has not begun by then is left out."""
    figures: dict[str, tuple[float, str]] = field(default_factory=dict[str, tuple[float, str]])
    """Value and unit by name."""
    details: dict[str, Any] = field(default_factory=dict[str, Any])
    errors: dict[str, str] = field(default_factory=dict[str, str])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    """Wall time of each part."""

    def figure(self, name: str, value: float, unit: str) -> None:
        """Record one figure, and show it: its section's lines come when the section has ended."""
        self.figures[name] = (value, unit)
        print(f"{name}: {value:g} {unit}", file=sys.stderr, flush=True)
        self.write()

    def detail(self, name: str, value: Any) -> None:
        """Record what stands in the JSON and on stderr alone."""
        self.details[name] = value
        print(f"{name}: {json.dumps(value)}", file=sys.stderr, flush=True)
        self.write()

    def part(self, name: str, work: Callable[[], None]) -> bool:
        """Run one part; return whether it succeeded. An error is recorded and goes no further."""
        if time.monotonic() >= self.deadline:
            self.errors[name] = "left out: the section's time was used up"
            print(f"{name}: {self.errors[name]}", file=sys.stderr, flush=True)
            self.write()
            return False
        print(f"{name} ...", file=sys.stderr, flush=True)
        started = time.perf_counter()
        try:
            work()
        except Exception as error:  # whatever one part dies of must not cost the others
            self.errors[name] = f"{type(error).__name__}: {error}"[:2000]
            traceback.print_exc()
        self.seconds[name] = round(time.perf_counter() - started, 2)
        free_memory(self.device)
        self.write()
        return name not in self.errors

    def write(self) -> None:
        """Replace the file."""
        if self.path is None:
            return
        unfinished = self.path.with_suffix(".tmp")
        unfinished.write_text(json.dumps(self.content()), encoding="utf-8")
        unfinished.replace(self.path)

    def content(self) -> dict[str, Any]:
        """Return all that was recorded, ready for JSON."""
        return {
            "figures": {name: list(figure) for name, figure in self.figures.items()},
            "details": self.details,
            "errors": self.errors,
            "seconds": self.seconds,
        }


def synchronise(device: str) -> None:
    """Wait until the device has done all that it was given."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: str) -> float:
    """Time one call, until the device is done."""
    synchronise(device)
    started = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - started


def interleaved_medians(
    works: dict[str, Callable[[], object]], *, device: str, n_rounds: int
) -> dict[str, float]:
    """Median seconds of each work, all of them in turn in each round, after a round untimed."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(n_rounds + 1):
        for name, work in works.items():
            taken = seconds_of(work, device)
            if number:
                seconds[name].append(taken)
    return {name: median(values) for name, values in seconds.items()}


def reset_peak_memory(device: str) -> None:
    """Start to look for the peak from what is allocated now."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: str) -> float:
    """GiB of the device that tensors took at most; on a CPU, of the process since its start."""
    from csae_bench.hardware.peak_memory import peak_memory_gib

    return peak_memory_gib(device)


def free_memory(device: str) -> None:
    """Give back to the device what no tensor holds."""
    gc.collect()
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()
