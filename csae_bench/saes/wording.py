"""How values, and the system's errors, are told in a sentence."""

from __future__ import annotations

import json
from typing import Any

from csae_bench.errors import reason_of

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
    """The first line of `errors.reason_of`: what libraries say of weights runs over many."""
    return reason_of(error).splitlines()[0].rstrip(".")


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]}... ({len(text)} characters)"
