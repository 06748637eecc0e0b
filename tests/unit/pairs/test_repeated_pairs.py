"""The first pairs of a source come again and again, and the source is read once."""

from __future__ import annotations

import pytest
import torch

from csae_bench.errors import DataError
from csae_bench.pairs.repeated_pairs import RepeatedPairs
from csae_bench.pairs.source import Pairs, PairSource
from tests.unit.pairs.sources import (
    SAIL,
    SAW,
    UNNAMED,
    AlternatingTexts,
    MinimalTexts,
    ReadTokens,
    minimal_pairs,
    sequence_pairs,
    stream,
)


def _groups(source: PairSource, n_draws: int) -> list[list[int]]:
    return [source.next_pairs().group.tolist() for _ in range(n_draws)]


def _equal(one: Pairs, other: Pairs) -> bool:
    return all(
        a is b if a is None or b is None else torch.equal(a, b)
        for a, b in zip(one, other, strict=True)
    )


def test_after_so_many_pairs_the_first_come_again_without_the_model() -> None:
    model = ReadTokens()
    source = RepeatedPairs(minimal_pairs(AlternatingTexts(), model=model), 6)
    first = [source.next_pairs() for _ in range(2)]  # four pairs, of eight texts, and two
    assert [len(pairs.rows) for pairs in first] == [4, 2]
    n_read = len(model.shapes)
    again = [source.next_pairs() for _ in range(4)]
    assert all(_equal(a, b) for a, b in zip(first * 2, again, strict=True))
    assert len(model.shapes) == n_read
    assert source.epochs == 3
    assert source.rows_per_epoch == 12


def test_a_source_that_ends_before_is_kept_whole() -> None:
    source = RepeatedPairs(minimal_pairs(MinimalTexts(((SAW,), (SAIL, UNNAMED)))), 1000)
    (first,) = _groups(source, 1)
    assert len(first) == 3
    assert _groups(source, 2) == [first, first]
    assert source.rows_per_epoch == 6


@pytest.mark.parametrize("n_before", [1, 2, 5])
def test_resumed_it_goes_on_with_the_same_pairs(n_before: int) -> None:
    def source() -> RepeatedPairs:
        return RepeatedPairs(minimal_pairs(AlternatingTexts()), 6)

    one, other = source(), source()
    for _ in range(n_before):
        one.next_pairs()
    other.load_state_dict(one.state_dict())
    for _ in range(4):
        assert _equal(one.next_pairs(), other.next_pairs())
    assert other.epochs == one.epochs


def test_too_few_for_a_batch_is_an_error_that_names_the_key() -> None:
    batches = stream(
        {
            "same_sequence": sequence_pairs(),
            "minimal": RepeatedPairs(minimal_pairs(AlternatingTexts()), 6),
        }
    )
    with pytest.raises(DataError, match=r"raise pairs\.minimal\.n_pairs where it is set"):
        next(batches)
