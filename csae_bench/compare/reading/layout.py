"""Which files of a folder are results, and which are run records.

Ours lie in `<eval_type_id>/` and `runs/`, and no deeper: a folder within is another set, such as a
baseline. Published ones lie flat, by eval, or by eval and release. What kind of eval a file is of
decides its eval_type_id, not its place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from csae_bench.errors import UsageError

RUNS = "runs"
SUFFIX = "_eval_results.json"
NOT_RESULTS = frozenset({RUNS, "baseline", "checkpoints", "artifacts", "cache"})
"""Folders in which no results are looked for, at any depth."""


class Found(NamedTuple):
    """A JSON file, as it was when it was looked at; links are followed."""

    path: Path
    is_record: bool
    size: int
    mtime_ns: int
    ctime_ns: int
    """Moves with every change, of the modification time too."""


class Unreadable(NamedTuple):
    """A file or folder that cannot be looked at."""

    path: Path
    why: str


def result_files(root: Path) -> Iterator[Found | Unreadable]:
    """The JSON files that belong to the set in `root`, in the order of their paths.

    Raises:
        UsageError: there is no such folder, or it cannot be read.
    """
    if not root.is_dir():
        what = "is no folder" if root.exists() else "does not exist"
        raise UsageError(f"{root} {what}; name a folder of results, such as results/.")
    if not os.access(root, os.R_OK | os.X_OK):
        raise UsageError(f"{root}: cannot be read: permission denied.")
    yield from _in(root / RUNS, is_record=True)
    is_ours = (root / RUNS).is_dir()
    yield from _below(root, depth=1 if is_ours else 2)


def _below(folder: Path, depth: int) -> Iterator[Found | Unreadable]:
    yield from _in(folder, is_record=False)
    if depth == 0:
        return
    for inner in _subfolders(folder):
        if not (inner / RUNS).is_dir():  # else a set of its own
            yield from _below(inner, depth - 1)


def _in(folder: Path, *, is_record: bool) -> Iterator[Found | Unreadable]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        yield Unreadable(folder, f"{folder}: cannot be read: {error.strerror}.")
        return
    for entry in entries:
        if not entry.name.endswith(".json") or entry.name.startswith("."):
            continue
        path = folder / entry.name
        try:
            if entry.is_dir():
                continue
            status = entry.stat()
        except OSError as error:
            yield Unreadable(path, f"{path}: cannot be read: {error.strerror}.")
            continue
        yield Found(path, is_record, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _subfolders(folder: Path) -> list[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return []  # reported by _in
    return [
        folder / entry.name
        for entry in entries
        if entry.is_dir() and entry.name not in NOT_RESULTS and not entry.name.startswith(".")
    ]
