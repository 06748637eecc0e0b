"""Cache of finished work, by content, from which a killed run resumes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csae_bench.errors import ResultError
from csae_bench.results.identity import digest
from csae_bench.results.store import read_json, write_json

N_DIGITS = 32
"""Hex digits of a hash in a file's name."""


@dataclass(frozen=True)
class Cache:
    """JSON values in a folder, each under the hash of all that decides it.

    A value is written so that its file holds all of it or is not there. Without a folder nothing
    is kept.
    """

    folder: Path | None

    def get_or_make(
        self, what: str, key: Mapping[str, Any], make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return the value under the key, made and kept if it is not there.

        Args:
            what: begins the file's name.
        """
        if self.folder is None:
            return make()
        path = self.folder / f"{_name(what, key)}.json"
        try:
            known = read_json(path)
        except ResultError:  # damaged from outside: it is made again, and overwritten
            known = None
        if known is None:
            known = make()
            self._keep(path, known)
        return known

    def has(self, what: str, key: Mapping[str, Any]) -> bool:
        """Return whether a value was kept under the key."""
        return self.folder is not None and (self.folder / f"{_name(what, key)}.json").is_file()

    def part(self, what: str, key: Mapping[str, Any]) -> Cache:
        """Return a cache in a folder of its own below this one."""
        if self.folder is None:
            return self
        return Cache(self.folder / _name(what, key))

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _keep(self, path: Path, value: dict[str, Any]) -> None:
        try:
            write_json(path, value)
        except ResultError as error:
            # a second run of the same may end, and remove the folder, while this one writes
            if not isinstance(error.__cause__, FileNotFoundError):
                raise


def _name(what: str, key: Mapping[str, Any]) -> str:
    return f"{what}-{digest(key)[:N_DIGITS]}"
