"""Memory that the process frees stays with it, for the next tensor of the same size."""

from __future__ import annotations

import ctypes
import os
import platform

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
"""Names of the parameters in glibc's malloc.h."""
_OF_ITS_OWN = 32 * 2**20
"""Bytes from which a block is memory of its own, returned when freed: the most that glibc sets by
itself."""
_KEPT = 256 * 2**20
"""Freed bytes that the process keeps."""


def keep_freed_memory() -> None:
    """Have malloc reuse freed blocks of some MiB instead of returning them to the kernel.

    A tensor of 8 MiB otherwise begins as 2,048 page faults, each time: a fifth of a model's pass.
    Does nothing without glibc, or where the environment sets malloc's parameters.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_THRESHOLD, _OF_ITS_OWN)
    libc.mallopt(_TRIM_THRESHOLD, _KEPT)
