"""Pairing of the positions of two paraphrases."""

from __future__ import annotations

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
    n_pairs = min(len(one), len(other))
    if positions == "last":
        return np.stack([one[-1:], other[-1:]], axis=1) if n_pairs else _none()
    if positions == "random":
        return np.stack([rng.permutation(text)[:n_pairs] for text in (one, other)], axis=1)
    share = np.arange(1, n_pairs + 1)
    # -(-a // b) rounds up, in whole numbers
    return np.stack([text[-(-share * len(text) // n_pairs) - 1] for text in (one, other)], axis=1)


def _none() -> NDArray[np.int64]:
    return np.empty((0, 2), dtype=np.int64)
