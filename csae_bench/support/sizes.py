"""Sizes of files and memory as people read them."""

from __future__ import annotations

MIB = 2**20
GIB = 2**30


def shown_bytes(size: float) -> str:
    """Format a size in GiB, or in MiB if it is small."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.1f} MiB"
