"""Nested mappings of a configuration, laid over each other before anything is checked."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, cast

Raw = dict[str, Any]


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Raw:
    """Lay `over` over `base`: mappings key by key, everything else replaced.

    A mapping whose keys are places of a list, from 0, is laid over the list's items.
    """
    merged = copy.deepcopy(dict(base))
    for key, value in over.items():
        merged[key] = _laid_over(merged.get(key), value)
    return merged


def leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) of everything in a nested mapping that is not a filled mapping."""
    if isinstance(value, Mapping) and value:
        for key, inner in cast(Mapping[str, Any], value).items():
            yield from leaves(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def without_other_kinds(base: Raw, over: Raw) -> Raw:
    """Return `base` without the mappings that `over` names another kind or architecture for."""

    def is_other(key: str) -> bool:
        mine, new = base[key], over.get(key)
        return (
            isinstance(mine, dict)
            and isinstance(new, dict)
            and any(
                name in new and new[name] != mine.get(name) for name in ("kind", "architecture")
            )
        )

    return {key: value for key, value in base.items() if not is_other(key)}


def _laid_over(mine: Any, value: Any) -> Any:
    if isinstance(value, dict):
        changes = cast(Raw, value)
        if isinstance(mine, dict):
            return merge(cast(Raw, mine), changes)
        if isinstance(mine, list):
            items = dict(enumerate(cast(list[Any], mine)))
            places = {str(place): place for place in items}
            if changes and all(str(key) in places for key in changes):
                for key, change in changes.items():
                    items[places[str(key)]] = _laid_over(items[places[str(key)]], change)
                return list(items.values())
    return copy.deepcopy(value)
