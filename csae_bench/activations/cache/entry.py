"""One entry of the cache, as a process that uses it reads and writes it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import uuid
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from csae_bench.activations.cache.folder import (
    CacheFolder,
    Manifest,
    Place,
    Shard,
    in_use,
    read_manifest,
    remove_unlisted,
    shrink,
    write_manifest,
    write_whole,
)
from csae_bench.errors import ResultError, reason_of
from csae_bench.support.notices import Notice
from csae_bench.support.regular_files import read_regular

MIB = 2**20


class CacheWarning(Notice):
    """A part of the cache is damaged, or the cache is full; the model runs instead."""


class Entry:
    """An entry in use: while it is open, no process removes anything of it.

    Others may add shards meanwhile, which are found at once.

    Args:
        folder: with all entries.
        key: all that decides the activations.
        max_bytes: of all entries together.

    Raises:
        ResultError: the folder cannot be written.
    """

    def __init__(self, folder: CacheFolder, key: Mapping[str, Any], *, max_bytes: int) -> None:
        self.path = folder.entry(key)
        self.max_bytes = max_bytes
        self._folder = folder
        self._empty = Manifest(key=dict(key))
        self._manifest = self._empty
        self._seen: tuple[int, ...] = ()
        self._lost: set[Shard] = set()
        # of any thread: the next batch is drawn in another one
        self._use = FileLock(self.path / "in_use" / uuid.uuid4().hex, thread_local=False)
        try:
            with folder.locked():
                self._open()
        except OSError as error:
            raise cannot_be_written(folder.root, error) from error

    def shard_at(self, place: Place) -> Shard | None:
        """Return the shard with the draw that begins at `place`; None if there is none."""
        self._refresh()
        return _holding(place, self._manifest, self._lost)

    def read(self, shard: Shard) -> bytes | None:
        """Return a shard's content; None, with a warning, if it is not what was written.

        It is then struck off the list.
        """
        path = self.path / shard.file
        try:
            content = read_regular(path, at_most=shard.n_bytes)
        except FileNotFoundError:
            problem = "is missing"
        except OSError as error:
            problem = f"cannot be read: {reason_of(error)}"
        else:
            if hashlib.sha256(content).hexdigest() == shard.sha256:
                self._mark_used()
                return content
            problem = f"is damaged: {len(content)} of {shard.n_bytes} bytes, or another hash"
        if self._strike_off(shard):
            warnings.warn(
                f"{path}: {problem}; the model runs for these activations again.",
                CacheWarning,
                stacklevel=2,
            )
        return None

    def write(self, content: bytes, *, first: Place, after: Place, n_rows: int) -> None:
        """Add a shard, unless another process has added the same one meanwhile.

        Raises:
            NoRoom: the limit is reached, and all that is there is in use.
            ResultError: the disk is full or the folder cannot be written; nothing of it is left.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        shard = Shard(
            file=f"{'-'.join(f'{number:09d}' for number in first)}_{sha256[:16]}.safetensors",
            first=first,
            after=after,
            n_rows=n_rows,
            n_bytes=len(content),
            sha256=sha256,
        )
        try:
            with self._folder.locked():
                self._refresh()
                present = _holding(first, self._manifest, self._lost)
                if present is None or present.after < after:
                    self._folder.make_room(len(content), limit=self.max_bytes)
                    _check_free(self._folder.root, len(content))
                    self._add(shard, content)
        except OSError as error:
            raise cannot_be_written(self._folder.root, error) from error

    def shrink(self, n_bytes: int) -> int:
        """Remove the last shards, of other processes too, and return how many bytes they had."""
        try:
            with self._folder.locked():
                return shrink(self.path, n_bytes)
        except (OSError, ValueError):
            return 0

    def close(self) -> None:
        """Let others remove the entry."""
        self._use.release()
        with contextlib.suppress(OSError):
            Path(self._use.lock_file).unlink()

    def _open(self) -> None:
        self._folder.remove_left_overs()
        (self.path / "in_use").mkdir(parents=True, exist_ok=True)
        try:
            manifest = read_manifest(self.path)
        except FileNotFoundError:
            manifest = None
        except ValueError:
            manifest = None
            warnings.warn(
                f"{self.path / 'manifest.json'}: is damaged; the model runs for its activations "
                "again.",
                CacheWarning,
                stacklevel=3,
            )
        if manifest is None or manifest.key != self._empty.key:
            write_manifest(self.path, self._empty)
        if not in_use(self.path):
            remove_unlisted(self.path, read_manifest(self.path))
        self._use.acquire()
        self._refresh()
        self._mark_used()

    def _refresh(self) -> None:
        """Read the manifest again if another process has written it."""
        try:
            status = (self.path / "manifest.json").stat()
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                self._manifest, self._seen = read_manifest(self.path), seen
        except (OSError, ValueError):  # somebody removes the folder while it is in use
            self._manifest, self._seen = self._empty, ()

    def _mark_used(self) -> None:
        with contextlib.suppress(OSError):  # a folder of somebody else
            os.utime(self.path / "manifest.json")

    def _add(self, shard: Shard, content: bytes) -> None:
        write_whole(self.path / shard.file, content)
        try:
            self._replace({*self._manifest.shards, shard})
        except OSError:
            (self.path / shard.file).unlink(missing_ok=True)
            raise
        self._lost.discard(shard)

    def _strike_off(self, shard: Shard) -> bool:
        """Remove a shard; return whether it was still listed."""
        try:
            with self._folder.locked():
                self._refresh()
                if shard not in self._manifest.shards:
                    return False
                self._replace({*self._manifest.shards} - {shard})
                (self.path / shard.file).unlink(missing_ok=True)
        except OSError:  # it stays listed, and this process does not read it again
            self._lost.add(shard)
        return True

    def _replace(self, shards: set[Shard]) -> None:
        ordered = sorted(shards, key=lambda one: (one.first, one.after))
        manifest = self._empty.model_copy(update={"shards": tuple(ordered)})
        write_manifest(self.path, manifest)
        self._refresh()


def _check_free(root: Path, n_bytes: int) -> None:
    """Leave as much free as is written: a training log or a state must still find room."""
    if shutil.disk_usage(root).free < 2 * n_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(root))


def cannot_be_written(root: Path, error: OSError) -> ResultError:
    """Return the error of a cache folder that is on a full disk, or not writable."""
    try:
        free = f", with {shutil.disk_usage(root).free / MIB:.0f} MiB free on the disk"
    except OSError:
        free = ""
    return ResultError(
        f"{root}: activations cannot be kept there{free}: {reason_of(error)}. Free some space, "
        "lower activations.cache_gib, or switch the cache off with activations.cache_gib=0."
    )


def _holding(place: Place, manifest: Manifest, lost: set[Shard]) -> Shard | None:
    holding = (
        shard
        for shard in manifest.shards
        if shard.first <= place < shard.after and shard not in lost
    )
    return next(holding, None)
