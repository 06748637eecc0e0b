"""Which positions of two paraphrases are paired."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from csae_bench.pairs.alignment import (
    Positions,
    last_positions,
    paired_positions,
    positions_after_change,
)

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


def _after(anchor: str, changed: str, special: str = "") -> list[tuple[str, str]]:
    """The letters that are paired, with the place of each; letters are tokens."""
    one, other = (np.array([ord(letter) for letter in text]) for text in (anchor, changed))
    usable = [
        np.array([i for i, letter in enumerate(text) if letter not in special], dtype=np.int64)
        for text in (anchor, changed)
    ]
    pairs = positions_after_change(one, other, *usable)
    return [(f"{anchor[i]}{i}", f"{changed[j]}{j}") for i, j in pairs]


@pytest.mark.parametrize(
    ("anchor", "changed", "expected"),
    [
        ("abXcd", "abYcd", [("c3", "c3"), ("d4", "d4")]),
        ("abXcd", "abYZcd", [("c3", "c4"), ("d4", "d5")]),
        ("aXbXc", "aYbYYc", [("b2", "b2"), ("c4", "c5")]),
        ("abcd", "abcdX", []),
        ("abcd", "abcd", []),
        ("abc", "xyz", []),
        ("Xa", "Ya", [("a1", "a1")]),
    ],
    ids=["one token", "longer", "two places", "at the end", "equal", "all differ", "at the start"],
)
def test_after_a_change_equal_tokens_that_correspond_are_paired(
    anchor: str, changed: str, expected: list[tuple[str, str]]
) -> None:
    assert _after(anchor, changed) == expected
    assert _after(changed, anchor) == [(j, i) for i, j in expected]


def test_after_a_change_special_tokens_are_not_paired() -> None:
    assert _after("Xa|b", "Ya|b", special="|") == [("a1", "a1"), ("b3", "b3")]


def test_last_positions_are_those_of_each_text_and_none_where_one_is_empty() -> None:
    assert last_positions([_text(3), _text(5), _text(2)]).tolist() == [[3, 5, 2]]
    assert last_positions([_text(3), _text(0), _text(2)]).shape == (0, 3)
