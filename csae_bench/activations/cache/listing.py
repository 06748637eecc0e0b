"""What the cache holds, and its removal: `csae-bench cache list` and `cache clear`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from csae_bench.activations.cache.folder import CacheFolder, in_use, last_used, read_manifest
from csae_bench.errors import ResultError, UnknownNameError, UsageError, reason_of


@dataclass(frozen=True, kw_only=True)
class EntrySummary:
    """One entry; of a damaged one, only its name, size and time are known."""

    name: str
    kind: str | None = None
    """`sequences` or `paraphrases`."""
    model: str | None = None
    hook_name: str | None = None
    dataset: str | None = None
    seed: int | None = None
    """None for text that is the same for every seed."""
    context_size: int | None = None
    dtype: str | None = None
    n_rows: int | None = None
    """Activations, of special tokens too."""
    n_bytes: int
    last_used: str | None
    """In UTC, as ISO 8601."""
    is_in_use: bool
    is_damaged: bool


@dataclass(frozen=True, kw_only=True)
class Cleared:
    """Result of clearing: names of the removed entries, their size, and what was left."""

    removed: tuple[str, ...]
    n_bytes: int
    in_use: tuple[str, ...]
    """Names of entries that another process uses, which stay."""


def summaries(root: Path) -> list[EntrySummary]:
    """Return all entries, the most recently used one first; none where there is no folder.

    Raises:
        ResultError: the folder cannot be read.
    """
    newest_first = sorted(CacheFolder(root).entries(), key=last_used, reverse=True)
    return [_summary(entry) for entry in newest_first]


def clear(root: Path, names: Sequence[str] = ()) -> Cleared:
    """Remove entries, except those in use.

    Args:
        names: of the entries, or beginnings that one name alone has; empty: all.

    Raises:
        UnknownNameError, UsageError: a name that no entry or several have; nothing was removed.
        ResultError: an entry cannot be removed.
    """
    folder = CacheFolder(root)
    entries = {entry.name: entry for entry in folder.entries()}
    wanted = dict.fromkeys(_named(name, entries) for name in names) if names else entries
    removed: list[str] = []
    used: list[str] = []
    n_bytes = 0
    try:
        for name in wanted:
            with folder.locked():
                if not entries[name].is_dir():  # another process was faster
                    continue
                if in_use(entries[name]):
                    used.append(name)
                    continue
                n_bytes += _size(entries[name])
                folder.remove(entries[name])
                removed.append(name)
        if root.is_dir():
            with folder.locked():
                folder.remove_left_overs()
    except OSError as error:
        raise ResultError(f"{root}: cannot be cleared: {reason_of(error)}.") from error
    return Cleared(removed=tuple(removed), n_bytes=n_bytes, in_use=tuple(used))


def _named(name: str, entries: dict[str, Path]) -> str:
    matching = [known for known in entries if known.startswith(name)]
    if not matching:
        raise UnknownNameError("entry of the cache", name, entries)
    if len(matching) > 1:
        raise UsageError(f"'{name}' is the beginning of {', '.join(matching)}; write one of them.")
    return matching[0]


def _summary(entry: Path) -> EntrySummary:
    used = last_used(entry)
    about: dict[str, Any] = {
        "name": entry.name,
        "last_used": datetime.fromtimestamp(used, UTC).isoformat(timespec="seconds")
        if used
        else None,
        "is_in_use": in_use(entry),
    }
    try:
        manifest = read_manifest(entry)
    except (OSError, ValueError):
        return EntrySummary(n_bytes=_size(entry), is_damaged=True, **about)
    key = manifest.key
    return EntrySummary(
        kind=_text(key.get("kind")),
        model=_text(key.get("model")),
        hook_name=_text(key.get("hook_name")),
        dataset=_text(key.get("dataset")),
        seed=_number(key.get("seed")),
        context_size=_number(key.get("context_size")),
        dtype=_text(key.get("dtype")),
        n_rows=manifest.n_rows,
        n_bytes=manifest.n_bytes,
        is_damaged=False,
        **about,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _size(entry: Path) -> int:
    total = 0
    for path in entry.rglob("*"):
        with contextlib.suppress(OSError):  # a process that uses it may remove files
            total += path.lstat().st_size if path.is_file() else 0
    return total
