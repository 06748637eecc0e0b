from __future__ import annotations

import numpy as np

from csae_bench.metrics.data import Factors
from csae_bench.metrics.families import Families

FACTORS = Factors(
    np.zeros((1, 4), np.int64), ("mood", "domain", "topic", "word"), (("a", "b"),) * 4
)


def test_parents_children_and_grandchildren_are_one_family() -> None:
    for parents in ({"topic": "domain", "word": "topic"}, {"word": "topic", "topic": "domain"}):
        result = Families.of(FACTORS, parents)
        assert result.n_families == 2
        assert result.of_factor.tolist() == [0, 1, 1, 1]
        assert result.of_value.tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert Families.of(FACTORS, {}).n_families == 4


def test_the_largest_is_taken_over_all_values_of_a_family() -> None:
    result = Families.of(FACTORS, {"topic": "domain", "word": "topic"})
    assert result.largest(np.arange(8.0)[None]).tolist() == [[1, 7]]
