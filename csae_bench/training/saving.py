"""Writing of what a training must not lose, on a disk that may be full."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from csae_bench.activations.cache.draws import ActivationCache
from csae_bench.errors import TrainingError, reason_of

_FIRST_GIVEN_BACK = 2**26
"""Bytes by which the cache is shortened first; then twice as many, and so on."""


def save(
    write: Callable[[], None], path: Path, what: str, cache: ActivationCache | None = None
) -> None:
    """Have `write` write something to `path`, if need be in the room of cached activations.

    Args:
        write: can be called again after it has failed.
        what: it is called in an error.
        cache: of this training, which can be made again.

    Raises:
        TrainingError: it cannot be written.
    """
    given_back = _FIRST_GIVEN_BACK
    while True:
        try:
            return write()
        # what torch, safetensors and the system raise on a full disk
        except (OSError, RuntimeError, SafetensorError) as error:
            if cache is not None and _is_full(error) and cache.give_back(given_back):
                given_back *= 2
                continue
            free = shutil.disk_usage(path.parent).free / 2**20
            raise TrainingError(
                f"{path}: {what} cannot be written, with {free:.0f} MiB free on the disk: "
                f"{reason_of(error).splitlines()[0]}. Free some and run again; what was saved is "
                "kept."
            ) from error


def _is_full(error: Exception) -> bool:
    """Return whether the disk is full: torch says so by its file's name, safetensors in words."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "No space left" in str(error) or "inline_container" in str(error)
