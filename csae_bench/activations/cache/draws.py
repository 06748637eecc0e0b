"""The cache as a training uses it: draws are read where they are kept, and kept where they are not.

What goes wrong in writing never stops a source. It is kept as `failure`, for who draws to stop
where nothing is lost.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from csae_bench.activations.cache.entry import CacheWarning, Entry
from csae_bench.activations.cache.folder import GIB, CacheFolder, NoRoom, Place
from csae_bench.activations.cache.shards import Draw, pack, unpack
from csae_bench.errors import ResultError
from csae_bench.support.transfers import pinned

SHARD_BYTES = 32 * 2**20
"""Size of a shard: what a kill may lose, and what is held in memory to be written."""

_SHARDS_WITHIN_LIMIT = 16
"""Fewest shards that a small limit has room for."""

_AHEAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="activations")
"""Reads ahead, for all sources: a disk reads one thing after the other."""


class ActivationCache:
    """The cache of one training.

    Args:
        root: the folder.
        max_bytes: of all that lies there, of other trainings too.
    """

    def __init__(self, root: Path, *, max_bytes: int) -> None:
        self._folder = CacheFolder(root)
        self._max_bytes = max_bytes
        self._draws: dict[Path, DrawCache] = {}

    @property
    def failure(self) -> ResultError | None:
        """Why activations could not be written; None: all is well."""
        return next((draws.failure for draws in self._draws.values() if draws.failure), None)

    def draws(self, key: Mapping[str, Any]) -> DrawCache:
        """Return the draws of a source.

        Args:
            key: all that decides what it gives.

        Raises:
            ResultError: the folder cannot be written.
        """
        path = self._folder.entry(key)
        if path not in self._draws:
            entry = Entry(self._folder, key, max_bytes=self._max_bytes)
            self._draws[path] = DrawCache(entry)
        return self._draws[path]

    def give_back(self, n_bytes: int) -> int:
        """Remove this training's last shards, for what is worth more on a full disk.

        Returns:
            The bytes that were removed; fewer if there are no more.
        """
        freed = 0
        for draws in self._draws.values():
            if freed < n_bytes:
                freed += draws.give_back(n_bytes - freed)
        return freed

    def close(self) -> None:
        """Write what is not written yet, and let other processes remove what was in use."""
        for draws in self._draws.values():
            draws.close()


@contextmanager
def activation_cache(root: Path | None, gib: float) -> Generator[ActivationCache | None]:
    """Give the cache for the time of a training; None where it is off.

    Args:
        root: the folder; None: there is none.
        gib: its limit; 0 switches it off.

    Raises:
        ResultError: at the end, if activations could not be written and nothing else went wrong.
    """
    if root is None or gib == 0:
        yield None
        return
    cache = ActivationCache(root, max_bytes=int(gib * GIB))
    try:
        yield cache
    finally:
        cache.close()
    if cache.failure is not None:
        raise cache.failure


class DrawCache:
    """Draws of one source by their places; from any thread.

    Args:
        entry: where they are kept; closed by `close`.
    """

    failure: ResultError | None = None

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._shard_bytes = min(SHARD_BYTES, entry.max_bytes // _SHARDS_WITHIN_LIMIT)
        self._read: dict[Place, Draw] = {}
        self._unwritten: list[Draw] = []
        self._is_full = False
        self._lock = threading.RLock()
        self._ahead: Future[None] | None = None
        self._wanted: Place | None = None

    def find(self, place: Place) -> Draw | None:
        """Return the draw that begins at `place`; None where the source must draw it."""
        with self._lock:
            if place not in self._read:
                self._flush_if_unwritten(place)
                self._load(place)
            return self._read.get(place)

    def take(self, place: Place) -> Draw | None:
        """Return the same, for the caller to do with as it likes: it is forgotten here."""
        with self._lock:
            draw = self.find(place)
            self._read.pop(place, None)
            self._wanted = None
            return draw

    def read_ahead(self, place: Place) -> None:
        """Begin to read the draw that begins at `place` in a thread, into pinned memory.

        Who asks for it before it is there waits; what goes wrong goes wrong again then.
        """
        with self._lock:
            self._wanted = place
        self._ahead = _AHEAD.submit(self._pin, place)

    def add(self, draw: Draw) -> None:
        """Keep a draw, which must not be changed any more."""
        with self._lock:
            if self._is_full or self.failure is not None:
                return
            if self._unwritten and self._unwritten[-1].after != draw.before:
                self._flush()
            self._unwritten.append(draw)
            if sum(one.n_bytes for one in self._unwritten) >= self._shard_bytes:
                self._flush()

    def give_back(self, n_bytes: int) -> int:
        """Remove the last shards; what is not written yet is never written."""
        with self._lock:
            self._unwritten, self._is_full = [], True
            return self._entry.shrink(n_bytes)

    def close(self) -> None:
        """Write what is not written yet."""
        if self._ahead is not None:
            wait([self._ahead])
        with self._lock:
            self._flush()
            self._entry.close()
            self._read = {}

    def _pin(self, place: Place) -> None:
        with self._lock:
            if self._wanted != place:  # it was asked for before this thread came to it
                return
            draw = self.find(place)
            if draw is not None:
                tensors = {name: pinned(tensor) for name, tensor in draw.tensors.items()}
                self._read[place] = draw._replace(tensors=tensors)

    def _load(self, place: Place) -> None:
        while (shard := self._entry.shard_at(place)) is not None:
            content = self._entry.read(shard)
            if content is not None:
                self._read = {draw.before: draw for draw in unpack(content)}
                return

    def _flush_if_unwritten(self, place: Place) -> None:
        """Write what a second reader of the same draws asks for before the shard is full."""
        if any(draw.before == place for draw in self._unwritten):
            self._flush()

    def _flush(self) -> None:
        """Write the draws that no other process has written meanwhile."""
        new = [one for one in self._unwritten if self._entry.shard_at(one.before) is None]
        self._unwritten = []
        starts = [0, *(i for i, (a, b) in enumerate(pairwise(new), 1) if a.after != b.before)]
        for start, end in pairwise([*starts, len(new)]):
            self._write(new[start:end])

    def _write(self, draws: list[Draw]) -> None:
        if not draws or self._is_full or self.failure is not None:
            return
        n_rows = sum(draw.n_rows for draw in draws)
        try:
            self._entry.write(
                pack(draws), first=draws[0].before, after=draws[-1].after, n_rows=n_rows
            )
        except NoRoom:
            self._is_full = True
            warnings.warn(
                f"{self._entry.path.parent}: the cache is full, at activations.cache_gib="
                f"{self._entry.max_bytes / GIB:g}; the rest of these activations is not kept.",
                CacheWarning,
                stacklevel=2,
            )
        except ResultError as error:
            self.failure = error
