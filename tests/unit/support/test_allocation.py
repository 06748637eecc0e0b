"""Freed memory is reused."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from csae_bench.support.allocation import keep_freed_memory
keep_freed_memory()
np.ones(2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**environment: str) -> int:
    """Page faults of 50 arrays of 8 MiB, each freed before the next."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS],
        env={**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0", **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's malloc that is set")
def test_a_block_that_was_freed_is_used_again_without_page_faults() -> None:
    assert faults() < 2048, "one array's pages are 2048"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's malloc that is set")
def test_what_the_environment_sets_stays() -> None:
    assert faults(MALLOC_MMAP_THRESHOLD_="65536") > 50 * 2000
