"""Time of a piece of work, of a command, and of what both are compared with."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

N_STARTS = 5
_START = "import json, click, numpy, pydantic, rich, yaml"


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that a piece of work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def seconds_of_command(*arguments: str) -> float:
    """Return the seconds of one `csae-bench` command, the interpreter's start included.

    Raises:
        RuntimeError: it failed.
    """
    return _seconds_of_python("-m", "csae_bench.cli", *arguments)


def seconds_of_start() -> float:
    """Return the seconds in which Python starts and imports libraries of ours: the median of five.

    Start-up of commands is set against it.
    """
    return statistics.median(_seconds_of_python("-c", _START) for _ in range(N_STARTS))


def _seconds_of_python(*arguments: str) -> float:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    taken = time.perf_counter() - started
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return taken
