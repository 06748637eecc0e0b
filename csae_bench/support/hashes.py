"""Hashes and counts of large files, cached by path, size and times, so that they are read once.

They lie in the user's cache folder (`XDG_CACHE_HOME`), one small file each; all may be deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from platformdirs import user_cache_path

WORTH_BYTES = 8 * 2**20
"""Files with fewer bytes in all are read faster than a hash is looked up and trusted."""
_SETTLED_SECONDS = 2.0
"""A file that was written a moment ago may be written again without its times changing."""
_N_DIGITS = 64
_END = " end"
"""Last word of counts, without which they are not whole."""
_not_kept: dict[str, str] = {}
"""Hashes of this process that could not be written; a run asks for its model's four times."""


def kept_hash(kind: str, paths: Sequence[Path], make: Callable[[], str]) -> str:
    """Return the hash of some files, made only where they have changed since the last time.

    Args:
        kind: what kind of hash, with its version: another kind is another value.
        paths: the files that it is made of.
        make: reads them and returns 64 hex digits.

    Raises:
        OSError: a file cannot be looked at.
    """
    return _kept(kind, paths, make, lambda known: len(known) == _N_DIGITS)


def kept_counts(kind: str, paths: Sequence[Path], make: Callable[[], Sequence[int]]) -> list[int]:
    """Return whole numbers that some files give, made only where the files have changed.

    Args:
        kind: what they count, with its version.
        paths: the files that they are made of.
        make: reads the files and returns the numbers, at least one.

    Raises:
        OSError: a file cannot be looked at.
    """
    written = _kept(kind, paths, lambda: " ".join(map(str, make())) + _END, _is_counts)
    return [int(number) for number in written.removesuffix(_END).split()]


def _kept(
    kind: str,
    paths: Sequence[Path],
    make: Callable[[], str],
    is_whole: Callable[[str], bool],
) -> str:
    status = [path.stat() for path in paths]
    if sum(one.st_size for one in status) < WORTH_BYTES:
        return make()
    stamps = [
        (str(path.resolve()), one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino)
        for path, one in zip(paths, status, strict=True)
    ]
    name = hashlib.sha256(json.dumps([kind, stamps]).encode()).hexdigest()
    place = user_cache_path("csae-bench") / "hashes" / name
    with contextlib.suppress(OSError):
        known = place.read_text(encoding="ascii")
        if is_whole(known):
            return known
    if name in _not_kept:
        return _not_kept[name]
    value = make()
    newest = max(max(one.st_mtime, one.st_ctime) for one in status)
    if time.time() - newest > _SETTLED_SECONDS:
        _keep(place, value)
    return value


def _is_counts(known: str) -> bool:
    numbers = known.removesuffix(_END)
    return numbers != known and numbers.replace(" ", "").isdecimal()


def _keep(place: Path, value: str) -> None:
    temporary = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(value, encoding="ascii")
        os.replace(temporary, place)
    except OSError:  # a cache that cannot be written costs time alone, and once in a process
        _not_kept[place.name] = value
