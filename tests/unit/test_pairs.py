"""Which rows are pairs, and how they come as batches."""

from __future__ import annotations

import pytest
import torch

from csae_bench.activations import GeneratorSource, Sequences
from csae_bench.config import GeneratorActivations, PairsSettings
from csae_bench.errors import ConfigError, DataError
from csae_bench.pairs import Pairs, PairStream, same_sequence

ANY = PairsSettings()
RANGES = [
    ANY,
    PairsSettings(max_distance=1),
    PairsSettings(min_distance=3, max_distance=9),
    PairsSettings(min_distance=20),
]


def _numbered(
    n_seq: int = 16, n_pos: int = 64, first: int = 0, usable_share: float = 1.0, n_texts: int = 1
) -> Sequences:
    """Activations that tell where they come from: (number of the sequence, position, usable)."""
    generator = torch.Generator().manual_seed(first)
    text = (torch.arange(n_pos) * n_texts).div(n_pos, rounding_mode="floor")
    ids = (first + torch.arange(n_seq))[:, None] * 1000 + text
    usable = torch.rand(n_seq, n_pos, generator=generator) <= usable_share
    positions = torch.arange(n_pos).expand(n_seq, -1)
    return Sequences(torch.stack([ids, positions, usable], 2).float(), usable, ids)


class NumberedSource:
    """A source of `_numbered` sequences; `n_windows` makes it finite."""

    d_in = 3
    context_size = 64

    def __init__(self, n_windows: int | None = None, usable_share: float = 0.9) -> None:
        self._n_windows, self._usable_share, self._n_drawn = n_windows, usable_share, 0

    @property
    def epochs(self) -> int:
        return self._n_drawn * 16 // self._n_windows if self._n_windows else 0

    @property
    def windows_per_epoch(self) -> int | None:
        return self._n_windows if self.epochs else None

    def next_sequences(self) -> Sequences:
        self._n_drawn += 1
        return _numbered(first=self._n_drawn * 16, usable_share=self._usable_share)

    def state_dict(self) -> dict[str, int]:
        return {"n_drawn": self._n_drawn}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._n_drawn = state["n_drawn"]


def _pairs(sequences: Sequences, settings: PairsSettings, seed: int = 0) -> Pairs:
    return same_sequence(sequences, settings, torch.Generator().manual_seed(seed))


def _stream(source: object = None, *, seed: int = 0, batch_size: int = 64) -> PairStream:
    return PairStream(
        source or NumberedSource(),  # pyright: ignore[reportArgumentType]
        ANY,
        batch_size=batch_size,
        pairs_in_buffer=1024,
        seed=seed,
    )


@pytest.mark.parametrize("settings", RANGES, ids=str)
def test_both_rows_of_a_pair_come_from_the_pairs_sequence(settings: PairsSettings) -> None:
    pairs = _pairs(_numbered(n_texts=3), settings)
    assert len(pairs.rows) > 0
    assert torch.equal(pairs.rows[:, 0, 0].long(), pairs.sequence)
    assert torch.equal(pairs.rows[:, 1, 0].long(), pairs.sequence)


@pytest.mark.parametrize("settings", RANGES, ids=str)
def test_the_positive_is_earlier_than_the_anchor_and_within_distance(
    settings: PairsSettings,
) -> None:
    pairs = _pairs(_numbered(), settings)
    distance = pairs.rows[:, 0, 1] - pairs.rows[:, 1, 1]
    assert distance.min() >= settings.min_distance
    assert distance.max() <= (settings.max_distance or 64)


@pytest.mark.parametrize("settings", RANGES, ids=str)
def test_no_special_token_is_in_a_pair(settings: PairsSettings) -> None:
    pairs = _pairs(_numbered(usable_share=0.6), settings)
    assert pairs.rows[:, :, 2].all()


@pytest.mark.parametrize("settings", RANGES, ids=str)
def test_every_position_is_used_at_most_once(settings: PairsSettings) -> None:
    used = _pairs(_numbered(usable_share=0.8), settings).rows.flatten(0, 1)
    assert len(used.unique(dim=0)) == len(used)


def test_at_most_one_position_of_a_sequence_is_left_over() -> None:
    sequences = _numbered(usable_share=0.7)
    pairs = _pairs(sequences, ANY)
    assert sequences.usable.sum() - 2 * len(pairs.rows) <= len(sequences.ids)


def test_positives_are_spread_evenly_over_earlier_positions() -> None:
    drawn = torch.cat(
        [_pairs(_numbered(n_seq=256, n_pos=16), ANY, seed).rows for seed in range(16)]
    )
    earlier = drawn[drawn[:, 0, 1] == 12][:, 1, 1].long().bincount(minlength=12).float()
    # about 4096 * 12/15 anchors over 12 positions: 273 each, standard deviation 16
    assert (earlier - earlier.mean()).abs().max() < 4 * earlier.mean().sqrt()


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [(ANY, 0.02), *((settings, 0.35) for settings in RANGES[1:])],
    ids=str,
)
def test_rows_are_distributed_as_usable_positions(
    settings: PairsSettings, tolerance: float
) -> None:
    sequences = _numbered(n_seq=4096, n_pos=64, usable_share=0.9)
    used = _pairs(sequences, settings).rows[:, :, 1].flatten().long().bincount(minlength=64)
    share = used / sequences.usable.sum(0)
    # measured: .004, and where distance is limited .27, .12 and .09, at the ends of a sequence
    assert (share / share.mean() - 1).abs().max() < tolerance


def test_another_generator_gives_other_pairs() -> None:
    sequences = _numbered()
    assert not torch.equal(_pairs(sequences, ANY, 0).rows, _pairs(sequences, ANY, 1).rows)


def test_a_sequence_with_one_usable_position_gives_no_pair() -> None:
    sequences = _numbered()
    sequences.usable.fill_(False)
    sequences.usable[:, 5] = True
    assert len(_pairs(sequences, ANY).rows) == len(_pairs(sequences, RANGES[1]).rows) == 0


def test_sequence_identity_survives_shuffling() -> None:
    stream = _stream()
    for _ in range(100):
        rows = next(stream).view(-1, 2, 3)
        assert torch.equal(rows[:, 0, 0], rows[:, 1, 0])
        assert torch.equal(rows[:, 0, 0].long(), stream.pairs.sequence)
        assert (rows[:, 0, 1] > rows[:, 1, 1]).all()


def test_sequence_ids_above_what_bfloat16_can_count_are_exact() -> None:
    source = NumberedSource()
    source.load_state_dict({"n_drawn": 1_000_003})
    stream = _stream(source)
    next(stream)
    first = 1_000_004 * 16 * 1000
    assert (stream.pairs.sequence >= first).all()
    assert (stream.pairs.sequence % 1000 == 0).all()


def test_a_batch_mixes_many_sequences() -> None:
    stream = _stream()
    next(stream)
    assert len(stream.pairs.sequence.unique()) > 16


def test_equal_seeds_give_equal_batches_and_another_seed_others() -> None:
    one, same, other = _stream(seed=4), _stream(seed=4), _stream(seed=5)
    first = next(one)
    assert torch.equal(first, next(same))
    assert not torch.equal(first, next(other))


@pytest.mark.parametrize("n_batches", [0, 1, 7, 40])
def test_restored_stream_continues_with_the_same_batches(n_batches: int) -> None:
    stream = _stream()
    for _ in range(n_batches):
        next(stream)
    state = stream.state_dict()
    restored = _stream(seed=77)
    restored.load_state_dict(state)
    for _ in range(60):
        assert torch.equal(next(stream), next(restored))
        assert torch.equal(stream.pairs.sequence, restored.pairs.sequence)


def test_twins_get_equal_batches_whatever_the_global_generator_does() -> None:
    one, twin = _stream(), _stream()
    for _ in range(20):
        torch.manual_seed(torch.seed() % 1000)
        assert torch.equal(next(one), next(twin))


def test_stream_from_generated_activations_has_pairs_that_share_slow_features() -> None:
    world = GeneratorActivations(d_in=256, n_slow_features=6, n_fast_features=6, context_size=16)
    stream = PairStream(
        GeneratorSource(world, seed=0), ANY, batch_size=256, pairs_in_buffer=1024, seed=0
    )
    rows = next(stream).view(-1, 2, 256)
    alike = torch.cosine_similarity(rows[:, 0], rows[:, 1]).mean()
    unlike = torch.cosine_similarity(rows[:, 0], rows[:, 1].roll(1, 0)).mean()
    assert alike > 0.4 > 0.1 > unlike


def test_a_dataset_too_small_for_one_batch_is_an_error() -> None:
    with pytest.raises(DataError, match="one pass gives 2 sequences of 64 tokens, 128 rows"):
        next(_stream(NumberedSource(n_windows=2), batch_size=256))


def test_a_small_dataset_that_fills_a_batch_is_read_again() -> None:
    stream = _stream(NumberedSource(n_windows=16), batch_size=256)
    for _ in range(20):
        next(stream)
    assert stream.epochs > 1


def test_sequences_without_any_pair_are_an_error() -> None:
    with pytest.raises(DataError, match="No pairs in 512 sequences of 64 tokens"):
        next(_stream(NumberedSource(usable_share=-1)))


def test_a_buffer_below_one_batch_is_an_error_that_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"activations\.pairs_in_buffer is 16; .* at least 32"):
        PairStream(
            NumberedSource(),  # pyright: ignore[reportArgumentType]
            ANY,
            batch_size=64,
            pairs_in_buffer=16,
            seed=0,
        )


def test_an_odd_batch_is_an_error() -> None:
    with pytest.raises(ConfigError, match="must be even"):
        _stream(batch_size=63)
