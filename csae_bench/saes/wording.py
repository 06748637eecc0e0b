"""How values, and the system's errors, are told in a sentence."""

from __future__ import annotations

import json
from typing import Any

_LONGEST = 60
"""Characters of a value that are shown."""


def shown(value: Any) -> str:
    """A value of a JSON file in a sentence: short, on one line, in printable characters."""
    if isinstance(value, str):
        text = value if value.isprintable() else ascii(value)[1:-1]
        return f"'{_cut(text)}'"
    try:
        return _cut(json.dumps(value, default=repr))
    except (ValueError, RecursionError):  # a number of more digits than Python writes
        return f"a {type(value).__name__}"


def reason(error: Exception) -> str:
    """Why something failed, in one line without a full stop, an error number or the path again."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.rstrip(".")
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]}... ({len(text)} characters)"
