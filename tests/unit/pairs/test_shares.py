"""How many pairs of each kind a batch has."""

from __future__ import annotations

import pytest

from csae_bench.errors import ConfigError
from csae_bench.pairs.shares import pairs_of_each_kind

KINDS = ("one", "two", "three")


def _counts(n_pairs: int, **shares: float) -> dict[str, int]:
    return pairs_of_each_kind(shares, KINDS, n_pairs=n_pairs)[1]


@pytest.mark.parametrize("n_pairs", [3, 7, 64, 1001, 2048])
def test_counts_add_up_and_are_within_one_of_the_share(n_pairs: int) -> None:
    shares = {"one": 0.5, "two": 0.3, "three": 0.2}
    counts = _counts(n_pairs * 3, **shares)
    assert sum(counts.values()) == n_pairs * 3
    assert all(abs(counts[kind] - shares[kind] * n_pairs * 3) < 1 for kind in KINDS)


def test_what_is_left_goes_to_the_largest_remainders_and_of_equals_to_the_first() -> None:
    assert _counts(10, one=0.26, two=0.35, three=0.39) == {"one": 3, "two": 3, "three": 4}
    assert _counts(4, one=1, two=1, three=1) == {"one": 2, "two": 1, "three": 1}


def test_whole_numbers_of_pairs_are_not_lost_to_rounding() -> None:
    assert _counts(100, one=0.29, two=0.71) == {"one": 29, "two": 71}


def test_shares_are_divided_by_their_sum_and_keep_the_order_of_kinds() -> None:
    shares, counts = pairs_of_each_kind({"three": 6, "one": 2}, KINDS, n_pairs=8)
    assert shares == {"one": 0.25, "three": 0.75}
    assert list(counts.items()) == [("one", 2), ("three", 6)]


@pytest.mark.parametrize(
    ("shares", "problem"),
    [
        ({"one": -1.0}, "The share of one pairs is -1.0; it must be a number of at least 0"),
        ({"one": float("nan")}, "The share of one pairs is nan"),
        ({"one": 1.0, "four": 1.0}, r"no source of such pairs; give pairs\.four\.weight a value"),
        ({"one": 0.0}, "every kind of pairs is 0"),
        ({}, "every kind of pairs is 0"),
        ({"one": 1.0, "two": 0.001}, r"pairs\.two has a share of 0\.000999 .* at least 1\. Raise"),
    ],
)
def test_shares_that_make_no_batch_are_an_error(shares: dict[str, float], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        _counts(64, **shares)
