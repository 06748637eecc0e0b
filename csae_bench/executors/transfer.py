"""Files on their way between machines without a shared disk: chunks of bytes, checked by hash.

Both ends are a `FolderFiles`, one of them called through Ray. A file appears under its name when
all of it is there and its hash is that of the source, never before.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from csae_bench.errors import ResultError

CHUNK_BYTES = 4 * 2**20

_N_TRIES = 3
"""Times that a file is copied which changes meanwhile."""


class FileState(NamedTuple):
    """A file of a folder, as it was when it was listed."""

    path: str
    """Relative to the folder, with `/`."""
    size: int
    mtime_ns: int


class FileEnd(Protocol):
    """One end of a transfer: a folder of this machine, or of another one."""

    def listing(self, place: str) -> list[FileState]:
        """Return the files below a folder, or the one of that name; none if it is not there."""
        ...

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Return bytes of a file; fewer at its end."""
        ...

    def digest(self, path: str, size: int) -> str:
        """Return the hash of a file's first bytes."""
        ...

    def write(self, path: str, offset: int, content: bytes) -> None:
        """Write bytes of a file that is not finished."""
        ...

    def finish(self, path: str, size: int, digest: str) -> bool:
        """Put a file in its place, if it is what was sent; else drop it, and return False."""
        ...

    def has(self, place: str) -> bool:
        """Return whether its machine has a file or folder of this absolute path, or `~/path`."""
        ...


class FolderFiles:
    """Files below a folder of this machine; hidden ones and locks are left out.

    Args:
        root: the folder; None: a new temporary one, removed by `remove`.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._is_own = root is None
        self.root = root or Path(tempfile.mkdtemp(prefix="csae-bench-node-"))

    def listing(self, place: str) -> list[FileState]:
        """Return the files below a folder, or the one of that name; none if it is not there."""
        path = self._path(place)
        states = [self._state(path)] if path.is_file() else []
        for folder, folders, names in os.walk(path, followlinks=True):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            states += [self._state(Path(folder) / name) for name in sorted(names) if _counts(name)]
        return [state for state in states if state is not None]

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Return bytes of a file; fewer at its end, none where it is gone."""
        with contextlib.suppress(FileNotFoundError), self._path(path).open("rb") as file:
            file.seek(offset)
            return file.read(size)
        return b""

    def digest(self, path: str, size: int) -> str:
        """Return the hash of a file's first bytes; the empty string where it is gone or shorter."""
        try:
            return _digest(self._path(path), size)
        except FileNotFoundError:
            return ""

    def write(self, path: str, offset: int, content: bytes) -> None:
        """Write bytes of a file that is not finished."""
        part = _part(self._path(path))
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(content)

    def finish(self, path: str, size: int, digest: str) -> bool:
        """Put a file in its place, if it is what was sent; else drop it, and return False."""
        final = self._path(path)
        part = _part(final)
        if not part.exists():  # an earlier call of the same did it, and its answer was lost
            return self.digest(path, size) == digest
        if part.stat().st_size != size or _digest(part, size) != digest:
            part.unlink()
            return False
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, final)
        return True

    def has(self, place: str) -> bool:
        """Return whether this machine has a file or folder of this absolute path, or `~/path`."""
        return Path(place).expanduser().exists()

    def remove(self) -> None:
        """Remove the folder if it is a temporary one."""
        if self._is_own:
            shutil.rmtree(self.root, ignore_errors=True)

    def _path(self, path: str) -> Path:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts:
            raise ValueError(f"{path}: is not below the folder of a transfer.")
        return self.root / parts

    def _state(self, path: Path) -> FileState | None:
        try:
            status = path.stat()
        except FileNotFoundError:  # it was removed meanwhile
            return None
        place = path.relative_to(self.root).as_posix()
        return FileState(place, status.st_size, status.st_mtime_ns)


def copy_file(source: FileEnd, target: FileEnd, state: FileState) -> bool:
    """Copy a file; return False where it has gone meanwhile.

    A file that grows is copied as far as it was listed.

    Raises:
        ResultError: it changed, or arrived damaged, each time.
    """
    path, size, _ = state
    for _ in range(_N_TRIES):
        offset = 0
        while True:
            content = source.read(path, offset, min(CHUNK_BYTES, size - offset))
            target.write(path, offset, content)
            offset += len(content)
            if offset >= size or not content:
                break
        digest = source.digest(path, size)
        if target.finish(path, size, digest) and digest:
            return True
        again = source.listing(path)
        if not again:
            return False
        size = again[0].size
    raise ResultError(f"{path}: cannot be copied between machines: it changes all the time.")


def copy_changed(
    source: FileEnd,
    target: FileEnd,
    known: dict[str, FileState],
    *,
    place: str = ".",
    wanted: Callable[[str], bool] = lambda path: True,
) -> list[str]:
    """Copy the files below a folder that are not known, or have changed; return their paths.

    Args:
        known: states of files at the source that the target has; brought up to date.
        place: the folder, or a single file; it is the same at the target.
        wanted: tells from a path whether the file is copied.
    """
    copied: list[str] = []
    for state in source.listing(place):
        if known.get(state.path) == state or not wanted(state.path):
            continue
        if copy_file(source, target, state):
            known[state.path] = state
            copied.append(state.path)
    return copied


def _counts(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(".lock")


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _digest(path: Path, size: int) -> str:
    hashed, left = hashlib.sha256(), size
    with path.open("rb") as file:
        while left and (content := file.read(min(CHUNK_BYTES, left))):
            hashed.update(content)
            left -= len(content)
    return "" if left else hashed.hexdigest()
