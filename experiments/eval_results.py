"""Values of eval_result files, by their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def value_at(result: Mapping[str, Any], place: str | None) -> Any:
    """Return the value at a dotted place of an eval_result; None where it has none, or no place."""
    if place is None:
        return None
    value: Any = result
    for key in place.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
