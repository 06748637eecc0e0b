"""Threads that this process may use for numpy's and scipy's work, beside torch's own."""

from __future__ import annotations

import os

_limit: int | None = None


def limit_threads(n: int | None) -> None:
    """Allow so many threads; None: as many as `n_threads` says without a limit."""
    global _limit
    _limit = n


def n_threads() -> int:
    """Return how many threads may work at a time: the limit, OMP_NUM_THREADS, or all cores."""
    if _limit is not None:
        return _limit
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else n_cores()


def n_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
