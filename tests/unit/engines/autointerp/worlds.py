"""A small world in a file: who does what, said in many words."""

from __future__ import annotations

from itertools import product
from pathlib import Path

WHO = {"woman": ("queen", "aunt", "girl"), "man": ("king", "uncle", "boy")}
WHAT = {"music": ("plays the piano", "sings a song"), "sport": ("kicks a ball", "wins a race")}
WHEN = ("today", "often", "again")


def write_world(folder: Path) -> Path:
    """Writes the factor dataset, 216 texts, and returns its path."""
    rows = ["text,template,who,what"]
    for (who, words), (what, deeds), when, day in product(
        WHO.items(), WHAT.items(), WHEN, ("Now", "So", "Well")
    ):
        rows += [
            f"{day} the {word} {deed} {when}.,{day},{who},{what}"
            for word, deed in product(words, deeds)
        ]
    path = folder / "world.csv"
    path.write_text("\n".join([*rows, ""]))
    return path
