"""The description of an eval, from the docstring of its function."""

from __future__ import annotations

import inspect
import re

PARTS_OF_ABOUT = ("What it measures", "Data", "Cost", "When not to trust it")
"""What every eval of ours says of itself."""

_BEGINNING = re.compile(r"([A-Z][a-z ]+)\n: |(" + "|".join(PARTS_OF_ABOUT) + "): ")
"""A part is `Name: text`, or, under any name, an entry of a Markdown definition list."""


def parts_of_about(docstring: str | None) -> dict[str, str]:
    """Return the named paragraphs of a docstring by name: those of `PARTS_OF_ABOUT`, and others.

    Paragraphs without a name belong to the one before them; what comes before the first name is the
    summary, and left out.
    """
    parts: dict[str, str] = {}
    current: str | None = None
    for paragraph in inspect.cleandoc(docstring or "").split("\n\n"):
        begun = _BEGINNING.match(paragraph)
        if begun is not None:
            current = str(begun[1] or begun[2])
            parts[current] = paragraph[begun.end() :].strip()
        elif current is not None:
            parts[current] += f"\n\n{paragraph}"
    return parts
