"""Pairing of the positions of texts that belong together."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Positions = Literal["aligned", "random", "last"]


def paired_positions(
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    positions: Positions,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Pair usable positions of one text with those of the other: [n_pairs, 2].

    No position is used twice, and with `aligned` and `random` the shorter text is used up:
    n_pairs is the smaller number of usable positions; 0 where a text has none.

    - `aligned`: pair i of n is where (i + 1) / n of each text has been read, rounded up to a whole
      token; the last pair is the last position of both.
    - `random`: a random matching.
    - `last`: the last position of each, one pair.
    """
    if positions == "last":
        return last_positions([one, other])
    n_pairs = min(len(one), len(other))
    if positions == "random":
        return np.stack([rng.permutation(text)[:n_pairs] for text in (one, other)], axis=1)
    share = np.arange(1, n_pairs + 1)
    # -(-a // b) rounds up, in whole numbers
    return np.stack([text[-(-share * len(text) // n_pairs) - 1] for text in (one, other)], axis=1)


def last_positions(usable: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Pair the last usable position of each text: [1, n_texts]; [0, n_texts] if one has none."""
    if not all(map(len, usable)):
        return np.empty((0, len(usable)), dtype=np.int64)
    return np.stack([of_text[-1:] for of_text in usable], axis=1)


def positions_after_change(
    anchor: NDArray[np.int64],
    changed: NDArray[np.int64],
    usable_of_anchor: NDArray[np.int64],
    usable_of_changed: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Pair the positions after the first difference that have the same token: [n_pairs, 2].

    Which positions correspond is what `difflib` says of the tokens: longest common runs first.
    Texts without a difference have no such positions.

    Args:
        anchor: tokens of the one text, with those that may not be in a pair.
        changed: tokens of the other.
        usable_of_anchor: positions of the one that may be in a pair.
        usable_of_changed: positions of the other.
    """
    n = min(len(anchor), len(changed))
    differing = np.flatnonzero(anchor[:n] != changed[:n])
    first = int(differing[0]) if len(differing) else n
    if first == max(len(anchor), len(changed)):
        return np.empty((0, 2), dtype=np.int64)
    one, other = anchor[first:].tolist(), changed[first:].tolist()
    runs = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    pairs = np.array(
        [(first + run.a + i, first + run.b + i) for run in runs for i in range(run.size)],
        dtype=np.int64,
    ).reshape(-1, 2)
    may = np.isin(pairs[:, 0], usable_of_anchor) & np.isin(pairs[:, 1], usable_of_changed)
    return pairs[may]
