"""Results as flat tables: one path, such as `metrics/scores/mig`, for one value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Scalar = float | int | str | bool | None
Value = Scalar | list[Scalar]
Numbers = dict[str, Value]

_NAMES = ("factor", "dataset_name", "value", "probe", "operation", "index")
"""Keys by which the entry of a list is called in paths; without one it is called by its place."""
MANY = 64
"""A longer list of entries, such as one for each latent, is summarised."""


def flat(value: Any, path: str = "") -> Numbers:
    """Return every scalar, and every list of scalars, under its path; empty mappings are left out.

    A mapping called `reasons`, from what is null to why, is turned round.

    Raises:
        TypeError: a value is none of JSON's.
    """
    return dict(_leaves(value, path))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Value]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "reasons":
                inner = _by_reason(inner)
            yield from _leaves(inner, f"{path}/{key}".lstrip("/"))
    elif isinstance(value, str) or value is None or isinstance(value, bool | int | float):
        yield path, value
    elif isinstance(value, Sequence):
        yield from _entries(list(value), path)
    else:
        raise TypeError(f"{path} is of type {type(value).__name__}; golden numbers are JSON.")


def _by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Return reason -> what is null for it: a table of nulls has few reasons."""
    return {
        reason: sorted(field for field, why in reasons.items() if why == reason)
        for reason in reasons.values()
    }


def _entries(entries: list[Any], path: str) -> Iterator[tuple[str, Value]]:
    if not any(isinstance(entry, Mapping | list | tuple) for entry in entries):
        yield path, entries
    elif len(entries) > MANY:
        yield from _leaves(_summary(entries), path)
    else:
        for place, entry in enumerate(entries):
            key = _naming_key(entry)
            if key is None:
                yield from _leaves(entry, f"{path}/{place}")
            else:
                others = {name: value for name, value in entry.items() if name != key}
                yield from _leaves(others, f"{path}/{entry[key]}")


def _naming_key(entry: Any) -> str | None:
    if not isinstance(entry, Mapping):
        return None
    return next((key for key in _NAMES if isinstance(entry.get(key), str)), None)


def _summary(entries: list[Any]) -> Mapping[str, Any]:
    """Return mean, root mean square and `by_place` of each number of many entries.

    `by_place` is the mean weighted by place, which changes where entries change places.
    """
    n = len(entries)
    fields: dict[str, Any] = {"n": n}
    for key in entries[0]:
        values = [entry[key] for entry in entries]
        if all(isinstance(value, float | int) for value in values):
            fields[key] = {
                "mean": sum(values) / n,
                "rms": (sum(value**2 for value in values) / n) ** 0.5,
                "by_place": sum(place * value for place, value in enumerate(values)) / n**2,
            }
    return fields
