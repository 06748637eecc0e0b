"""Text of others on a terminal: in a file that somebody else wrote, an SAE may have any name."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but for tabs and line ends, and those that turn the direction of writing."""


def printable(text: str) -> str:
    """Return the text with control characters escaped: `\\x1b[31m` colours nothing."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def shortened(text: str, at_most: int) -> str:
    """Return the text, cut if it is too long for a sentence, with `...` for the rest."""
    return text if len(text) <= at_most else f"{text[: at_most - 3]}..."
