"""Wording of values, and of the system's errors, in a sentence."""

from __future__ import annotations

import json
from typing import Any

from csae_bench.errors import reason_of

_LONGEST = 60
"""Number of characters of a value that are shown."""


def shown(value: Any) -> str:
    """Show a value of a JSON file in a sentence: short, on one line, in printable characters."""
    if isinstance(value, str):
        text = value if value.isprintable() else ascii(value)[1:-1]
        return f"'{_cut(text)}'"
    try:
        return _cut(json.dumps(value, default=repr))
    except (ValueError, RecursionError):  # a number of more digits than Python writes
        return f"a {type(value).__name__}"


def reason(error: Exception) -> str:
    """Return the first line of `errors.reason_of`: libraries' messages on weights are long."""
    return reason_of(error).splitlines()[0].rstrip(".")


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]}... ({len(text)} characters)"
