"""Registries: tables of evals, loss terms and other things looked up by name.

A registry never imports what it holds until it is asked for it, so that `csae-bench list`
and a run with nothing to do stay fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from csae_bench.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """A table from names to entries of one kind.

    Args:
        kind: what an entry is called in messages, such as "eval".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> T:
        """Add `entry`; a second, different entry of the same name is an error of ours."""
        known = self._entries.setdefault(name, entry)
        if known is not entry:
            raise ValueError(f"{self.kind} '{name}' is registered twice: {known} and {entry}")
        return entry

    def get(self, name: str) -> T:
        """Return the entry called `name`.

        Raises:
            UnknownNameError: no entry has this name; the message suggests the nearest.
        """
        if name not in self._entries:
            raise UnknownNameError(self.kind, name, self._entries)
        return self._entries[name]

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._entries)

    def remove(self, name: str) -> None:
        """Remove the entry called `name`, if there is one."""
        self._entries.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())
