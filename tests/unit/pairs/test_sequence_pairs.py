"""Which positions of a text are pairs."""

from __future__ import annotations

import pytest
import torch

from csae_bench.activations.sources import Sequences
from csae_bench.config import SameSequenceSettings
from csae_bench.errors import DataError
from csae_bench.pairs import Pairs, same_sequence
from tests.unit.pairs.sources import NumberedSource, numbered, sequence_pairs

ANY = SameSequenceSettings()
RANGES = [
    ANY,
    SameSequenceSettings(max_distance=1),
    SameSequenceSettings(min_distance=3, max_distance=9),
    SameSequenceSettings(min_distance=20),
]


def _pairs(sequences: Sequences, settings: SameSequenceSettings, seed: int = 0) -> Pairs:
    return same_sequence(sequences, settings, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("settings", RANGES, ids=str)
def test_both_rows_of_a_pair_come_from_the_pairs_sequence(settings: SameSequenceSettings) -> None:
    pairs = _pairs(numbered(n_texts=3), settings)
    assert len(pairs.rows) > 0
    assert torch.equal(pairs.rows[:, 0, 0].long(), pairs.sequence)
    assert torch.equal(pairs.rows[:, 1, 0].long(), pairs.sequence)


@pytest.mark.parametrize("settings", RANGES, ids=str)
def test_the_positive_is_earlier_than_the_anchor_and_within_distance(
    settings: SameSequenceSettings,
) -> None:
    pairs = _pairs(numbered(), settings)
    distance = pairs.rows[:, 0, 1] - pairs.rows[:, 1, 1]
    assert distance.min() >= settings.min_distance
    assert distance.max() <= (settings.max_distance or 64)


@pytest.mark.parametrize("settings", RANGES, ids=str)
def test_no_special_token_is_in_a_pair(settings: SameSequenceSettings) -> None:
    pairs = _pairs(numbered(usable_share=0.6), settings)
    assert pairs.rows[:, :, 2].all()


@pytest.mark.parametrize("settings", RANGES, ids=str)
def test_every_position_is_used_at_most_once(settings: SameSequenceSettings) -> None:
    used = _pairs(numbered(usable_share=0.8), settings).rows.flatten(0, 1)
    assert len(used.unique(dim=0)) == len(used)


def test_at_most_one_position_of_a_sequence_is_left_over() -> None:
    sequences = numbered(usable_share=0.7)
    pairs = _pairs(sequences, ANY)
    assert sequences.usable.sum() - 2 * len(pairs.rows) <= len(sequences.ids)


def test_positives_are_spread_evenly_over_earlier_positions() -> None:
    drawn = torch.cat([_pairs(numbered(n_seq=256, n_pos=16), ANY, seed).rows for seed in range(16)])
    earlier = drawn[drawn[:, 0, 1] == 12][:, 1, 1].long().bincount(minlength=12).float()
    # about 4096 * 12/15 anchors over 12 positions: 273 each, standard deviation 16
    assert (earlier - earlier.mean()).abs().max() < 4 * earlier.mean().sqrt()


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [(ANY, 0.02), *((settings, 0.35) for settings in RANGES[1:])],
    ids=str,
)
def test_rows_are_distributed_as_usable_positions(
    settings: SameSequenceSettings, tolerance: float
) -> None:
    sequences = numbered(n_seq=4096, n_pos=64, usable_share=0.9)
    used = _pairs(sequences, settings).rows[:, :, 1].flatten().long().bincount(minlength=64)
    share = used / sequences.usable.sum(0)
    # measured: .004, and where distance is limited .27, .12 and .09, at the ends of a sequence
    assert (share / share.mean() - 1).abs().max() < tolerance


def test_another_generator_gives_other_pairs() -> None:
    sequences = numbered()
    assert not torch.equal(_pairs(sequences, ANY, 0).rows, _pairs(sequences, ANY, 1).rows)


def test_a_sequence_with_one_usable_position_gives_no_pair() -> None:
    sequences = numbered()
    sequences.usable.fill_(False)
    sequences.usable[:, 5] = True
    assert len(_pairs(sequences, ANY).rows) == len(_pairs(sequences, RANGES[1]).rows) == 0


def test_a_group_is_the_sequence_as_a_negative_number() -> None:
    pairs = _pairs(numbered(), ANY)
    assert torch.equal(pairs.group, -1 - pairs.sequence)


def test_sequences_without_any_pair_are_an_error() -> None:
    with pytest.raises(DataError, match="No pairs in 512 sequences of 64 tokens"):
        sequence_pairs(NumberedSource(usable_share=-1)).next_pairs()


def test_a_restored_source_resumes_with_the_same_pairs() -> None:
    source, restored = sequence_pairs(seed=3), sequence_pairs(seed=9)
    source.next_pairs()
    restored.load_state_dict(source.state_dict())
    assert torch.equal(source.next_pairs().rows, restored.next_pairs().rows)


def test_the_rows_of_a_pass_are_known_when_it_is_complete() -> None:
    source = sequence_pairs(NumberedSource(n_windows=32))
    source.next_pairs()
    assert source.rows_per_epoch is None
    source.next_pairs()
    assert source.rows_per_epoch == 32 * 64
