"""Threads that this process may use for numpy's and scipy's work, beside torch's own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

_AT_ONCE = 8
"""Items for each thread that are waiting or done and not yet handed on: each may be large."""

_limit: int | None = None
_within = threading.local()


def limit_threads(n: int | None) -> None:
    """Allow so many threads; None: as many as `n_threads` says without a limit."""
    global _limit
    _limit = n


def n_threads() -> int:
    """Return how many threads may work at a time: the limit, OMP_NUM_THREADS, or all cores.

    It is 1 within `mapped`, which uses all there are.
    """
    if getattr(_within, "is_mapped", False):
        return 1
    if _limit is not None:
        return _limit
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else n_cores()


def n_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def mapped(work: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """Yield `work` of each item, in order, by as many threads as may work.

    It pays where numpy and scipy do most of the work, in arrays of some size: they let other
    threads go on meanwhile. A few items and results are in memory at a time.

    Args:
        work: changes nothing that another call reads.
    """
    n = n_threads()
    if n < 2:
        yield from map(work, items)
        return
    waiting = iter(items)
    while some := list(islice(waiting, _AT_ONCE * n)):
        yield from pool(n).map(lambda item: _alone(work, item), some)


@cache
def pool(n: int) -> ThreadPoolExecutor:
    """Return this process's pool of n threads."""
    return ThreadPoolExecutor(n, thread_name_prefix="csae-bench")


def _alone(work: Callable[[S], T], item: S) -> T:
    _within.is_mapped = True
    try:
        return work(item)
    finally:
        _within.is_mapped = False
