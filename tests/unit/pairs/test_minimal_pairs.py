"""Pairs from two texts that differ in one factor; rows are (token, position, tokens read)."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from csae_bench.errors import ConfigError, DataError
from csae_bench.minimal_pairs import MinimalPair
from csae_bench.pairs import MinimalPairs, ParaphrasePairs
from csae_bench.pairs.minimal_pairs import FIRST_GROUP
from csae_bench.saes.pair_ids import PairIds
from tests.unit.pairs.sources import (
    MINIMAL,
    SAIL,
    SAW,
    UNNAMED,
    MinimalTexts,
    ReadTokens,
    collected,
    minimal_pairs,
    paraphrase_pairs,
    sequence_pairs,
    stream,
)


def _words(model: ReadTokens, rows: torch.Tensor) -> list[str]:
    return [model.tokenizer.decode([int(row[0])]).strip() for row in rows]


def test_the_last_tokens_of_two_texts_are_a_pair_with_group_and_values() -> None:
    model = ReadTokens()
    pairs = minimal_pairs(MinimalTexts(((SAW,), (SAIL, UNNAMED))), model=model).next_pairs()
    assert pairs.rows.shape == (3, 2, 3)
    assert _words(model, pairs.rows[:, 0]) == ["rocket", "sail", "goal"]
    assert _words(model, pairs.rows[:, 1]) == ["rocket", "goal", "goal"]
    assert pairs.group.tolist() == [FIRST_GROUP, FIRST_GROUP + 1, FIRST_GROUP + 1]
    assert pairs.sequence.tolist() == [-1 - group for group in pairs.group.tolist()]
    assert pairs.values is not None
    assert pairs.values.tolist() == [[0, 1], [3, 4], [-1, -1]]


def test_values_that_nobody_knows_are_not_there() -> None:
    assert minimal_pairs(MinimalTexts(((UNNAMED,),))).next_pairs().values is None


def test_groups_of_three_have_the_anchors_paraphrase_last() -> None:
    model = ReadTokens()
    source = minimal_pairs(MinimalTexts(((SAW,), (SAIL,))), model=model, with_paraphrases=True)
    pairs = source.next_pairs()
    assert pairs.rows.shape == (2, 3, 3)
    assert _words(model, pairs.rows[:, 2]) == ["saw", "saw"]
    assert source.rows_per_epoch == 6


def test_a_group_without_a_paraphrase_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(DataError, match=r"with_paraphrases is true, but group 1 .* no paraphrase"):
        minimal_pairs(MinimalTexts(((SAW,), (UNNAMED,))), with_paraphrases=True).next_pairs()


def test_after_change_pairs_what_has_the_same_token_and_corresponds() -> None:
    model = ReadTokens()
    source = minimal_pairs(MinimalTexts(((SAW,),)), model=model, positions="after_change")
    pairs = source.next_pairs()
    assert _words(model, pairs.rows[:, 0]) == ["saw", "the", "rocket"]
    assert torch.equal(pairs.rows[:, 0, 0], pairs.rows[:, 1, 0])
    assert (pairs.rows[:, 1, 1] - pairs.rows[:, 0, 1]).tolist() == [1, 1, 1]


def test_texts_that_end_in_their_difference_have_no_pair_and_say_so() -> None:
    only = MinimalPair(" we saw a sail", " we saw a goal")
    with pytest.raises(DataError, match="no two that are paired have an equal token after"):
        minimal_pairs(MinimalTexts(((only,),)), positions="after_change").next_pairs()


@pytest.mark.parametrize("n_draws", [0, 1, 3])
def test_a_restored_source_resumes_with_the_same_pairs(n_draws: int) -> None:
    def source() -> MinimalPairs:
        return minimal_pairs(MINIMAL, batch_size_prompts=3, with_paraphrases=True)

    first, second = source(), source()
    for _ in range(n_draws):
        first.next_pairs()
    second.load_state_dict(first.state_dict())
    one, other = first.next_pairs(), second.next_pairs()
    assert torch.equal(one.rows, other.rows)
    assert torch.equal(one.group, other.group)


def _paraphrases() -> ParaphrasePairs:
    texts = (" she saw the rocket", "We saw that she saw the rocket", " a rocket she saw")
    return paraphrase_pairs(collected(*[texts] * 4))


@pytest.mark.filterwarnings("ignore::csae_bench.activations.sources.EpochWarning")
def test_a_batch_of_three_kinds_has_its_shares_and_knows_what_belongs_together() -> None:
    sources = {
        "same_sequence": sequence_pairs(),
        "paraphrase": _paraphrases(),
        "minimal": minimal_pairs(MINIMAL, with_paraphrases=True),
    }
    shares = {"same_sequence": 0.5, "paraphrase": 0.25, "minimal": 0.25}
    pairs = stream(sources, shares, batch_size=64, threes=("minimal",))
    rows = next(pairs).view(32, 2, 3)
    assert pairs.counts == {"same_sequence": 16, "paraphrase": 12, "minimal": 4}
    ids: PairIds = pairs.pairs
    assert ids.minimal is not None
    assert ids.values is not None
    assert (ids.values[ids.kinds["minimal"]] >= 0).all()
    assert (ids.values[: ids.kinds["minimal"].start] == -1).all()
    together = (ids.minimal >= 0).nonzero().squeeze(1)
    assert len(together) == 4
    assert torch.equal(rows[together, 0], rows[ids.minimal[together], 0])
    negatives = ids.negatives()
    assert not negatives[together, ids.minimal[together]].any()


@pytest.mark.filterwarnings("ignore::csae_bench.activations.sources.EpochWarning")
@pytest.mark.parametrize("n_batches", [0, 1, 3, 8])
def test_a_stream_stopped_among_groups_of_three_resumes_to_the_bit(n_batches: int) -> None:
    def made() -> Any:
        sources = {
            "same_sequence": sequence_pairs(),
            "minimal": minimal_pairs(MINIMAL, with_paraphrases=True),
        }
        return stream(
            sources, batch_size=32, pairs_in_buffer=16, threes=("minimal",), shuffled=("minimal",)
        )

    pairs, restored = made(), made()
    for _ in range(n_batches):
        next(pairs)
    pairs.draw_ahead()
    restored.load_state_dict(pairs.state_dict())
    for _ in range(5):
        assert torch.equal(next(pairs), next(restored))
        for name in ("sequence", "group", "values", "minimal"):
            assert torch.equal(getattr(pairs.pairs, name), getattr(restored.pairs, name))


@pytest.mark.filterwarnings("ignore::csae_bench.activations.sources.EpochWarning")
def test_shuffled_minimal_pairs_leave_anchors_and_paraphrases_where_they_were() -> None:
    def made(*shuffled: str) -> torch.Tensor:
        source = minimal_pairs(MINIMAL, with_paraphrases=True)
        pairs = stream({"minimal": source}, batch_size=32, threes=("minimal",), shuffled=shuffled)
        rows = next(pairs).view(-1, 2, 3)
        return rows[: pairs.counts["paraphrase"]], rows[pairs.pairs.kinds["minimal"]]

    (alike, plain), (alike_too, shuffled) = made(), made("minimal")
    assert torch.equal(alike, alike_too)
    assert torch.equal(plain[:, 0], shuffled[:, 0])
    assert not torch.equal(plain[:, 1], shuffled[:, 1])
    assert sorted(plain[:, 1].tolist()) == sorted(shuffled[:, 1].tolist())


def test_one_group_of_three_alone_cannot_be_shuffled() -> None:
    sources = {"minimal": minimal_pairs(MINIMAL, with_paraphrases=True)}
    options: dict[str, Any] = {"threes": ("minimal",), "pairs_in_buffer": 16}
    next(stream(sources, batch_size=4, **options))
    with pytest.raises(ConfigError, match="must be at least 3, as its pairs are shuffled"):
        stream(sources, batch_size=4, shuffled=("minimal",), **options)
