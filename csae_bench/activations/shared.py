"""Cache of a language model's passes that are the same for every SAE, so that they run once.

Codes, clamped answers and anything else that depends on an SAE are not kept here.
"""

from __future__ import annotations

import dataclasses
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar, cast

T = TypeVar("T")

GIB = 2**30
MAX_BYTES = 4 * GIB
"""Bytes that are kept by default."""


class SharedPasses:
    """Values by key, the most recently used ones, up to a number of bytes.

    A value that is larger than all there is room for is given and not kept.

    Args:
        n_users: SAEs that ask for the values, as far as is known. What only the same SAE would ask
            for again is not kept for one: `only_if_room`.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, *, n_users: int = 1) -> None:
        self.max_bytes = max_bytes
        self.n_users = n_users
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._n_bytes = 0

    def get_or_make(self, key: Hashable, make: Callable[[], T], *, only_if_room: bool = False) -> T:
        """Return the value under the key, made unless it is there.

        Args:
            key: all that decides the value; an object in memory by its `id`, while it is held.
            only_if_room: keep it where several SAEs are judged and nothing else must go for it:
                of values that are asked for one after the other, all of them by every SAE, the
                first ones are worth more than the last ones.
        """
        if key in self._values:
            return self.get(key)
        value = make()
        if only_if_room:
            self.keep(key, value)
            return value
        size = n_bytes(value)
        if size <= self.max_bytes:
            self._values[key] = value, size
            self._n_bytes += size
            self._evict()
        return value

    def get(self, key: Hashable) -> Any:
        """Return the value under the key; None where none is kept."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def keep(self, key: Hashable, value: Any) -> None:
        """Keep a value where several SAEs are judged and there is room for it."""
        size = n_bytes(value)
        if self.n_users > 1 and key not in self._values and self._n_bytes + size <= self.max_bytes:
            self._values[key] = value, size
            self._n_bytes += size

    def _evict(self) -> None:
        while self._n_bytes > self.max_bytes:
            _, (_, size) = self._values.popitem(last=False)
            self._n_bytes -= size


def n_bytes(value: Any) -> int:
    """Return the size of the arrays and tensors in a value, nested or not."""
    if value is None or isinstance(value, bool | int | float):
        return 0
    if isinstance(value, str | bytes):
        return sys.getsizeof(value)
    if hasattr(value, "element_size") and hasattr(value, "numel"):
        return int(value.numel() * value.element_size())
    if hasattr(value, "nbytes"):
        return int(value.nbytes)
    if hasattr(value, "cache_dict"):  # of transformer_lens
        return n_bytes(value.cache_dict)
    if dataclasses.is_dataclass(value):
        return sum(n_bytes(getattr(value, part.name)) for part in dataclasses.fields(value))
    if isinstance(value, Mapping):
        return sum(n_bytes(inner) for inner in cast(Mapping[Any, Any], value).values())
    if isinstance(value, Sequence):
        return sum(n_bytes(inner) for inner in cast(Sequence[Any], value))
    return 0
