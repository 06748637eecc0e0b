"""Layout of a folder: which files are results, and which are run records.

Ours lie in `<eval_type_id>/` and `runs/`, and no deeper. In a folder without `runs/` results lie
at any depth, as published ones do. A folder within that has `runs/` of its own, or that is named as
one of `NOT_RESULTS`, is another set: its results are counted and not read. What kind of eval a file
is of decides its eval_type_id, not its place.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from csae_bench.comparison.model import OtherSet
from csae_bench.errors import UsageError

RUNS = "runs"
CELLS = ".cells"
"""Folder in `RUNS` with the cells that the records are made of."""
SUFFIX = "_eval_results.json"
NOT_RESULTS = frozenset({RUNS, "baseline", "checkpoints", "artifacts", "cache"})
"""Folders in which no results are looked for, at any depth."""
MAX_FOLDERS = 20_000
"""Folders that are looked through; the published results of SAE-Bench have a few hundred."""

_LOST_AND_FOUND = "lost+found"
"""Made by file systems, for root alone."""


class ResultFile(NamedTuple):
    """A JSON file, as it was when it was looked at; links are followed."""

    path: Path
    is_record: bool
    size: int
    mtime_ns: int
    ctime_ns: int
    """Change time, which moves with every change, also of the modification time."""


class Unreadable(NamedTuple):
    """A file or folder that cannot be looked at."""

    path: Path
    why: str


class LeftOut(NamedTuple):
    """A file or folder that can hold nothing that is not counted elsewhere, or not meant to be."""

    path: Path
    why: str


_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

Place = ResultFile | Unreadable | LeftOut | OtherSet


def result_files(root: Path) -> Iterator[Place]:
    """Yield the JSON files that belong to the set in `root`, in the order of their paths.

    What may hold results and is not among them follows: broken, left out, or another set.

    Raises:
        UsageError: there is no such folder, it cannot be read, or it has too many folders.
    """
    _check_root(root)
    places = list(_Walk(root).places())
    yield from sorted((p for p in places if isinstance(p, ResultFile)), key=lambda p: p.path)
    yield from sorted((p for p in places if not isinstance(p, ResultFile)), key=lambda p: p.path)


def real(path: Path) -> Path:
    """Return the path without links, as far as they can be followed."""
    try:
        return Path(os.path.realpath(path))
    except OSError:  # a link that must not be read, such as /proc/1/cwd
        return Path(os.path.abspath(path))


def _check_root(root: Path) -> None:
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"{root} does not exist; name a folder of results, such as results/."
        ) from None
    except OSError as error:
        raise UsageError(f"{root}: cannot be read: {error.strerror}.") from error
    if not is_folder:
        raise UsageError(f"{root} is not a folder; name a folder of results, such as results/.")
    if not os.access(root, os.R_OK | os.X_OK):
        raise UsageError(f"{root}: cannot be read: permission denied.")


class _Walk:
    """Searches one set; each folder once, however many links lead to it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._is_ours = _is_folder(root / RUNS)
        top = real(root)
        self._above = {_identity(folder): folder for folder in (top, *top.parents)}
        self._seen: set[tuple[int, int]] = set()
        self._links: list[tuple[Path, int]] = []
        """Links to folders with their depth: followed last, so that a folder within the set
        is read there."""

    def places(self) -> Iterator[Place]:
        if self._is_ours:
            yield from self._runs(self._root / RUNS)
        yield from self._below(self._root, 0)
        while self._links:
            link, depth = self._links.pop(0)
            if _identity(link) in self._seen:
                yield LeftOut(link, f"{link}: a link to {real(link)}, which is counted already.")
            else:
                yield from self._below(link, depth)

    def _runs(self, folder: Path) -> Iterator[Place]:
        entries, troubles = _listed(folder)
        yield from troubles
        for entry, status in entries:
            if entry.name == CELLS:
                continue
            if stat.S_ISDIR(status.st_mode):
                why = f"records lie in {RUNS}/ and no deeper"
                yield from _other_set(Path(entry.path), why, suffix=".json")
            else:
                yield from _file(entry, status, is_record=True)

    def _below(self, top: Path, depth: int) -> Iterator[Place]:
        """Search a folder, and everything below it."""
        to_do = [(top, depth)]
        while to_do:
            folder, depth = to_do.pop()
            self._enter(folder)
            entries, troubles = _listed(folder)
            yield from troubles
            for entry, status in entries:
                if not stat.S_ISDIR(status.st_mode):
                    yield from _file(entry, status, is_record=False)
                elif depth == 0 and entry.name == RUNS:
                    continue
                elif (above := self._above.get((status.st_dev, status.st_ino))) is not None:
                    yield LeftOut(Path(entry.path), f"{entry.path}: a link back to {above}.")
                elif (why := self._why_other(entry, depth)) is not None:
                    yield from _other_set(Path(entry.path), why)
                elif entry.is_symlink():
                    self._links.append((Path(entry.path), depth + 1))
                elif (status.st_dev, status.st_ino) not in self._seen:
                    to_do.append((Path(entry.path), depth + 1))

    def _enter(self, folder: Path) -> None:
        self._seen.add(_identity(folder))
        if len(self._seen) > MAX_FOLDERS:
            raise UsageError(
                f"{self._root}: has more than {MAX_FOLDERS} folders; name the folder of results "
                "among them."
            )

    def _why_other(self, entry: os.DirEntry[str], depth: int) -> str | None:
        """Return why a folder is not part of the set; None if it is."""
        if entry.name in NOT_RESULTS or entry.name == _LOST_AND_FOUND:
            return f"a folder named {entry.name} is another set"
        if entry.name.startswith("."):
            return "the folder is hidden, as its name starts with a dot"
        if _is_folder(Path(entry.path, RUNS)):
            return f"a folder with {RUNS}/ of its own is another set"
        if self._is_ours and depth == 1:
            return f"in a folder with {RUNS}/, results must be in <eval>/, not deeper"
        return None


def _listed(folder: Path) -> tuple[list[tuple[os.DirEntry[str], os.stat_result]], list[Place]]:
    """Return the entries of a folder by name with their status, and those that cannot be read."""
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        return [], [_unreadable(folder, error)]
    with_stat: list[tuple[os.DirEntry[str], os.stat_result]] = []
    troubles: list[Place] = []
    for entry in entries:
        path = Path(entry.path)
        try:
            with_stat.append((entry, entry.stat()))
        except OSError as error:
            if entry.name.startswith("."):
                continue
            if entry.name.endswith(".json") or not entry.is_symlink():
                troubles.append(_unreadable(path, error))
            else:
                why = f"{path}: a link that leads nowhere: {error.strerror}."
                troubles.append(LeftOut(path, why))
    return with_stat, troubles


def _file(
    entry: os.DirEntry[str], status: os.stat_result, *, is_record: bool
) -> Iterator[ResultFile | Unreadable | LeftOut]:
    """Yield a file if its name is that of a result or a record."""
    path = Path(entry.path)
    if not entry.name.endswith(".json"):
        return
    if entry.name.startswith("."):
        if entry.name.endswith(SUFFIX):
            yield LeftOut(path, f"{path}: is hidden, as its name starts with a dot.")
    elif not stat.S_ISREG(status.st_mode):
        yield Unreadable(path, f"{path}: is not a file but {_KINDS[stat.S_IFMT(status.st_mode)]}.")
    else:
        yield ResultFile(path, is_record, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _other_set(path: Path, why: str, *, suffix: str = SUFFIX) -> Iterator[OtherSet | LeftOut]:
    """Yield a folder of results that are not counted; nothing if it has none."""
    n_results = 0
    for n_folders, (_, _, names) in enumerate(os.walk(path)):
        n_results += sum(name.endswith(suffix) for name in names)
        if n_folders == MAX_FOLDERS:
            break
    if n_results:
        yield OtherSet(path, n_results, why)
    elif path.name == _LOST_AND_FOUND and not os.access(path, os.R_OK | os.X_OK):
        yield LeftOut(path, f"{path}: cannot be read, and is not meant to hold results.")


def _is_folder(path: Path) -> bool:
    """Return whether it is a folder; False if it cannot be accessed."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _identity(folder: Path) -> tuple[int, int]:
    """Return (device, inode) of the folder; (-1, -1), which no folder has, if it is gone."""
    try:
        status = folder.stat()
    except OSError:
        return (-1, -1)
    return (status.st_dev, status.st_ino)


def _unreadable(path: Path, error: OSError) -> Unreadable:
    return Unreadable(path, f"{path}: cannot be read: {error.strerror}.")
