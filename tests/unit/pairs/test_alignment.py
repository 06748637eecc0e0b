"""Which positions of two paraphrases are paired."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from csae_bench.pairs.alignment import Positions, paired_positions

LENGTHS = [(1, 1), (1, 7), (5, 5), (12, 17), (40, 3), (31, 30)]


def _text(n: int, first: int = 1) -> NDArray[np.int64]:
    return np.arange(first, first + n)


def _paired(n_one: int, n_other: int, positions: Positions, seed: int = 0) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    return paired_positions(_text(n_one), _text(n_other), positions, rng)


@pytest.mark.parametrize(("n_one", "n_other"), LENGTHS)
@pytest.mark.parametrize("positions", ["aligned", "random"])
def test_the_shorter_text_is_used_up_and_no_position_twice(
    positions: Positions, n_one: int, n_other: int
) -> None:
    pairs = _paired(n_one, n_other, positions)
    assert len(pairs) == min(n_one, n_other)
    for side, n in ((0, n_one), (1, n_other)):
        assert len(set(pairs[:, side])) == len(pairs)
        assert set(pairs[:, side]) <= set(_text(n))


@pytest.mark.parametrize(("n_one", "n_other"), LENGTHS)
def test_aligned_positions_have_read_equal_shares_of_both_texts(n_one: int, n_other: int) -> None:
    one, other = _paired(n_one, n_other, "aligned").T
    # rounding up adds less than a token on either side
    assert (np.abs(one / n_one - other / n_other) < 1 / n_one + 1 / n_other).all()
    assert (np.diff(one) > 0).all()
    assert (np.diff(other) > 0).all()
    assert (one[-1], other[-1]) == (n_one, n_other)


def test_aligned_texts_of_equal_length_are_paired_token_by_token() -> None:
    one, other = _paired(9, 9, "aligned").T
    assert (one == other).all()


def test_aligned_is_worked_out_by_hand() -> None:
    assert _paired(3, 5, "aligned").tolist() == [[1, 2], [2, 4], [3, 5]]


def test_the_last_positions_are_one_pair() -> None:
    assert _paired(12, 17, "last").tolist() == [[12, 17]]


def test_random_positions_are_spread_evenly_over_both_texts() -> None:
    pairs = np.concatenate([_paired(4, 8, "random", seed) for seed in range(2000)])
    table = np.histogram2d(pairs[:, 0], pairs[:, 1], bins=(4, 8))[0]
    # 8000 pairs in 32 cells: 250 each, standard deviation below 16
    assert np.abs(table - 250).max() < 70


@pytest.mark.parametrize("positions", ["aligned", "random", "last"])
@pytest.mark.parametrize("lengths", [(0, 5), (5, 0), (0, 0)])
def test_a_text_without_usable_positions_gives_no_pair(
    positions: Positions, lengths: tuple[int, int]
) -> None:
    assert _paired(*lengths, positions).shape == (0, 2)
