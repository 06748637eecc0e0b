"""Names without the part that all of them share, such as the hook of published SAEs."""

from __future__ import annotations

import re
from collections.abc import Iterable

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
MIN_SHARED = 24
"""Characters that names must share to be shortened."""

_PIECE = re.compile(r"[^_./-]+|[_./-]+")


def shortened_names(names: Iterable[str]) -> tuple[dict[str, str], str]:
    """Return each name with its longest part that all share replaced by an ellipsis, and that part.

    A part begins and ends at `_`, `-`, `.` or `/`. Names stay as they are, and the part is empty,
    where they share too little, or would no longer differ.
    """
    distinct = list(dict.fromkeys(names))
    same = {name: name for name in distinct}
    if len(distinct) < 2:
        return same, ""
    pieces = _PIECE.findall(min(distinct, key=len))
    shared = ""
    for start in range(len(pieces)):
        for end in range(len(pieces), start, -1):
            part = "".join(pieces[start:end])
            if len(part) <= max(len(shared), MIN_SHARED - 1):
                break
            if all(part in name for name in distinct):
                shared = part
                break
    shared = _without_last_word(shared)
    if not shared:
        return same, ""
    short = {name: _without(name, shared) for name in distinct}
    return (short, shared) if len(set(short.values())) == len(distinct) else (same, "")


def _without_last_word(shared: str) -> str:
    """Leave the names the word before what differs, `trainer` of `trainer_4`."""
    pieces = _PIECE.findall(shared)
    if pieces and not pieces[-1].isalnum():
        pieces = pieces[:-2]
    kept = "".join(pieces)
    return kept if len(kept) >= MIN_SHARED else shared


def _without(name: str, shared: str) -> str:
    before, _, after = name.partition(shared)
    return f"{before}{ELLIPSIS}{after}"
