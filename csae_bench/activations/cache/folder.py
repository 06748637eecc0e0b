"""The folder of cached activations, as all processes see it.

<root>/<16 hex digits>/manifest.json               what decides them, and a list of the shards
<root>/<16 hex digits>/<place>_<hash>.safetensors  a shard: what a source gave, draw after draw
<root>/<16 hex digits>/in_use/                     a file for each process that uses it, locked
<root>/.lock                                       locked by whoever changes anything

The digits are a digest of all that decides the activations. Shards and manifests are written under
another name and renamed, so that nobody ever sees half of one; what a killed process left is
removed by the next one. The last use of an entry is the time of its manifest.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, Field

from csae_bench.errors import ResultError, reason_of
from csae_bench.results.keys import digest

GIB = 2**30

FORMAT = 1
"""Version of manifests and shards; it enters the digest, so that versions do not meet."""

Place = tuple[int, ...]
"""Place of a source in its data, as numbers that grow from draw to draw."""

_NAME = re.compile(r"[0-9a-f]{16}")
_TRASH = ".trash-"
_UNFINISHED = ".unfinished-"


class Shard(BaseModel, frozen=True, extra="forbid"):
    """A file with the draws between two places."""

    # nothing but a plain name: files are removed by it
    file: Annotated[str, Field(pattern=r"^[0-9][0-9a-f_-]*\.safetensors$")]
    first: Place
    """Place before the first draw."""
    after: Place
    """Place after the last draw."""
    n_rows: int
    """Activations in it, of special tokens too."""
    n_bytes: int
    sha256: str


class Manifest(BaseModel, frozen=True, extra="forbid"):
    """What an entry holds."""

    format: Literal[1] = FORMAT
    key: dict[str, Any]
    """All that decides the activations; the entry's name is its digest."""
    shards: tuple[Shard, ...] = ()
    """In the order of their places."""

    @property
    def n_bytes(self) -> int:
        """Size of all shards."""
        return sum(shard.n_bytes for shard in self.shards)

    @property
    def n_rows(self) -> int:
        """Activations in all shards."""
        return sum(shard.n_rows for shard in self.shards)


class NoRoom(Exception):
    """The limit is reached, and all that is there is in use."""


@dataclass(frozen=True)
class CacheFolder:
    """The folder with all entries.

    Args:
        root: made when something is written.
    """

    root: Path

    def entry(self, key: Mapping[str, Any]) -> Path:
        """Return the folder of the activations that `key` decides."""
        return self.root / digest({"format": FORMAT, **key})[:16]

    def entries(self) -> list[Path]:
        """Return the folders of all entries, sorted by name; none where there is no folder."""
        try:
            inner = list(self.root.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise ResultError(f"{self.root}: cannot be read: {reason_of(error)}.") from error
        return sorted(
            path
            for path in inner
            if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
        )

    @contextmanager
    def locked(self) -> Generator[None]:
        """Hold the lock without which nothing in the folder may be changed.

        Raises:
            OSError: the folder cannot be written.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with FileLock(self.root / ".lock"):
            yield

    def make_room(self, n_bytes: int, *, limit: int) -> None:
        """Remove shards until `n_bytes` more are within the limit; only while locked.

        Damaged entries go first, then the least recently used one, its last shard first: what is
        left of it is what a training reads first. Entries in use stay.

        Raises:
            NoRoom: it is not enough; nothing was removed.
        """
        sizes = self._sizes()
        excess = sum(sizes.values()) + n_bytes - limit
        if excess <= 0:
            return
        unused = sorted((entry for entry in sizes if not in_use(entry)), key=last_used)
        if sum(sizes[entry] for entry in unused) < excess:
            raise NoRoom
        for entry in unused:
            excess -= shrink(entry, excess)
            if not read_manifest(entry).shards:
                self.remove(entry)
            if excess <= 0:
                return

    def remove(self, entry: Path) -> None:
        """Remove an entry; only while locked.

        Raises:
            OSError: it cannot be removed.
        """
        trash = self.root / f"{_TRASH}{uuid.uuid4().hex}"
        entry.rename(trash)  # at once: a kill in between leaves nothing that looks like an entry
        shutil.rmtree(trash)

    def remove_left_overs(self) -> None:
        """Remove what killed processes left half removed; only while locked."""
        for trash in self.root.glob(f"{_TRASH}*"):
            shutil.rmtree(trash, ignore_errors=True)

    def _sizes(self) -> dict[Path, int]:
        """Return the size of each entry, and remove those that are damaged and not in use."""
        sizes: dict[Path, int] = {}
        for entry in self.entries():
            try:
                sizes[entry] = read_manifest(entry).n_bytes
            except (FileNotFoundError, ValueError):
                if not in_use(entry):
                    self.remove(entry)
            except OSError:  # of somebody else
                continue
        return sizes


def read_manifest(entry: Path) -> Manifest:
    """Return an entry's manifest.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read.
        ValueError: it is damaged.
    """
    return Manifest.model_validate_json((entry / "manifest.json").read_bytes())


def write_manifest(entry: Path, manifest: Manifest) -> None:
    """Replace an entry's manifest; only while locked.

    Raises:
        OSError: it cannot be written, and is as it was.
    """
    write_whole(entry / "manifest.json", manifest.model_dump_json(indent=2).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there with all its content or as it was before.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}")
    try:
        with unfinished.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        with contextlib.suppress(OSError):  # mostly it is not there any more
            unfinished.unlink()


def remove_unlisted(entry: Path, manifest: Manifest) -> None:
    """Remove what killed processes left in an entry; only while locked, for an entry not in use."""
    listed = {"manifest.json", *(shard.file for shard in manifest.shards)}
    for path in entry.iterdir():
        if path.name not in listed and path.is_file():
            path.unlink(missing_ok=True)
    for path in (entry / "in_use").glob("*"):
        path.unlink(missing_ok=True)


def shrink(entry: Path, n_bytes: int) -> int:
    """Remove an entry's last shards until `n_bytes` are free; only while locked.

    Returns:
        The bytes that were removed; fewer if the entry has no more.

    Raises:
        OSError: the folder cannot be written.
    """
    manifest = read_manifest(entry)
    kept, used, freed = list(manifest.shards), last_used(entry), 0
    while kept and freed < n_bytes:
        freed += kept.pop().n_bytes
    smaller = manifest.model_copy(update={"shards": tuple(kept)})
    files = [entry / shard.file for shard in manifest.shards[len(kept) :]]
    try:
        write_manifest(entry, smaller)
    except OSError:  # a full disk, so files go first: after a kill they are listed, but missing
        _unlink(files)
        write_manifest(entry, smaller)
    else:
        _unlink(files)
    os.utime(entry / "manifest.json", (used, used))  # to lose a part is no use
    return freed


def in_use(entry: Path) -> bool:
    """Return whether a process uses the entry, this one included; where unknown, true."""
    for path in (entry / "in_use").glob("*"):
        try:
            with FileLock(path, timeout=0):
                pass
        except (Timeout, OSError):
            return True
    return False


def last_used(entry: Path) -> float:
    """Return the time at which an entry was last used, in seconds since 1970; 0 if unknown."""
    try:
        return (entry / "manifest.json").stat().st_mtime
    except OSError:
        return 0.0


def _unlink(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
