"""Text of others in a picture: what the font has, of a length that leaves room for the figure."""

from __future__ import annotations

from functools import cache

from csae_bench.support.printable import printable

MAX_CHARACTERS = 60
"""Length of a name in a picture; tables have the whole name."""


def drawable(text: str, at_most: int = MAX_CHARACTERS) -> str:
    """Return the text as a picture shows it: on one line, cut in the middle if it is very long.

    What the font has no glyph for is written as an escape, as `\\u6a21`: a box would make all names
    of a script equal.
    """
    known = _characters()
    shown = "".join(
        character if ord(character) in known else character.encode("unicode_escape").decode()
        for character in printable(text).replace("\n", "\\n").replace("\t", "\\t")
    )
    if len(shown) <= at_most:
        return shown
    half = (at_most - 3) // 2
    return f"{shown[:half]}...{shown[-half:]}"


@cache
def _characters() -> frozenset[int]:
    """Return the code points that matplotlib's own font has."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())
