"""The description of an eval, from the docstring of its function."""

from __future__ import annotations

import inspect

PARTS_OF_ABOUT = ("What it measures", "Data", "Cost", "When not to trust it")
"""What every eval of ours says of itself."""


def parts_of_about(docstring: str | None) -> dict[str, str]:
    """Return the paragraphs that begin with a name of `PARTS_OF_ABOUT` and a colon, by that name.

    Paragraphs without such a beginning belong to the one before them; what comes before the first
    one is the summary, and left out.
    """
    parts: dict[str, str] = {}
    current: str | None = None
    for paragraph in inspect.cleandoc(docstring or "").split("\n\n"):
        name, colon, text = paragraph.partition(":")
        if colon and name in PARTS_OF_ABOUT:
            current, parts[name] = name, text.strip()
        elif current is not None:
            parts[current] += f"\n\n{paragraph}"
    return parts
