"""Batches of pairs: their order, their state, and the proportions of kinds."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from csae_bench.activations.sources import EpochWarning, GeneratorSource
from csae_bench.config import GeneratorActivations, ParaphraseSettings
from csae_bench.errors import ConfigError, DataError
from csae_bench.pairs import PairStream
from csae_bench.paraphrases import TinyworldParaphrases, open_paraphrases
from tests.unit.pairs.sources import (
    NumberedSource,
    ReadTokens,
    collected,
    paraphrase_pairs,
    sequence_pairs,
    stream,
    write_jsonl,
)

BOTH = {"same_sequence": 0.3, "paraphrase": 0.7}


def _sequences(source: object = None, *, seed: int = 0, **options: Any) -> PairStream:
    return stream({"same_sequence": sequence_pairs(source, seed=seed)}, seed=seed, **options)


def _mixture(*, seed: int = 0, dataset: str = "tinyworld", **options: Any) -> PairStream:
    settings = ParaphraseSettings(dataset=dataset)
    sources = {
        "same_sequence": sequence_pairs(seed=seed),
        "paraphrase": paraphrase_pairs(open_paraphrases(settings, seed=seed), seed=seed),
    }
    return stream(sources, **{"shares": BOTH, "seed": seed, "pairs_in_buffer": 256, **options})


def _checksum(pairs: PairStream, n_batches: int = 100) -> str:
    digest = hashlib.sha256()
    for _ in range(n_batches):
        digest.update(next(pairs).numpy().tobytes())
        digest.update(pairs.pairs.sequence.numpy().tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize(
    ("seed", "settings", "options", "checksum"),
    [
        (3, {}, {}, "f49c9358b151ccba"),
        (11, {"min_distance": 3, "max_distance": 9}, {}, "0fa7fcdcc4d50dbf"),
        (5, {}, {"mix_fraction": 0.25}, "ca32c6b10440401c"),
    ],
)
def test_batches_are_to_the_bit_what_they_were_before_there_were_mixtures(
    seed: int, settings: dict[str, int], options: dict[str, float], checksum: str
) -> None:
    sources = {"same_sequence": sequence_pairs(seed=seed, **settings)}
    assert _checksum(stream(sources, seed=seed, **options)) == checksum


def test_sequence_identity_survives_shuffling() -> None:
    pairs = _sequences()
    for _ in range(100):
        rows = next(pairs).view(-1, 2, 3)
        assert torch.equal(rows[:, 0, 0], rows[:, 1, 0])
        assert torch.equal(rows[:, 0, 0].long(), pairs.pairs.sequence)
        assert (rows[:, 0, 1] > rows[:, 1, 1]).all()


def test_sequence_ids_above_what_bfloat16_can_count_are_exact() -> None:
    source = NumberedSource()
    source.load_state_dict({"n_drawn": 1_000_003})
    pairs = _sequences(source)
    next(pairs)
    first = 1_000_004 * 16 * 1000
    assert (pairs.pairs.sequence >= first).all()
    assert (pairs.pairs.sequence % 1000 == 0).all()


def test_a_batch_mixes_many_sequences() -> None:
    pairs = _sequences()
    next(pairs)
    assert len(pairs.pairs.sequence.unique()) > 16


def test_equal_seeds_give_equal_batches_and_another_seed_others() -> None:
    one, same, other = _mixture(seed=4), _mixture(seed=4), _mixture(seed=5)
    first = next(one)
    assert torch.equal(first, next(same))
    assert not torch.equal(first, next(other))


@pytest.mark.parametrize("n_batches", [0, 1, 7, 40])
def test_restored_stream_continues_with_the_same_batches(n_batches: int) -> None:
    pairs = _sequences()
    for _ in range(n_batches):
        next(pairs)
    state = pairs.state_dict()
    restored = _sequences(seed=77)
    restored.load_state_dict(state)
    for _ in range(60):
        assert torch.equal(next(pairs), next(restored))
        assert torch.equal(pairs.pairs.sequence, restored.pairs.sequence)


def test_twins_get_equal_batches_whatever_the_global_generator_does() -> None:
    one, twin = _mixture(), _mixture()
    for _ in range(20):
        torch.manual_seed(torch.seed() % 1000)
        assert torch.equal(next(one), next(twin))


def test_stream_from_generated_activations_has_pairs_that_share_slow_features() -> None:
    world = GeneratorActivations(d_in=256, n_slow_features=6, n_fast_features=6, context_size=16)
    rows = next(_sequences(GeneratorSource(world, seed=0), batch_size=256)).view(-1, 2, 256)
    alike = torch.cosine_similarity(rows[:, 0], rows[:, 1]).mean()
    unlike = torch.cosine_similarity(rows[:, 0], rows[:, 1].roll(1, 0)).mean()
    assert alike > 0.4 > 0.1 > unlike


def test_every_batch_has_exactly_the_pairs_of_each_kind_that_were_asked_for() -> None:
    pairs = _mixture()
    for _ in range(40):
        rows = next(pairs).view(-1, 2, 3)
        assert len(rows) == 32
        assert pairs.counts == {"same_sequence": 10, "paraphrase": 22}
        assert torch.equal(pairs.pairs.sequence >= 0, torch.arange(32) < 10)
        assert torch.equal(pairs.pairs.group >= 0, torch.arange(32) >= 10)


def test_pairs_of_one_group_are_never_negatives_of_each_other_nor_are_those_of_a_sequence() -> None:
    pairs = _mixture()
    n_masked = 0
    for _ in range(20):
        next(pairs)
        ids, negatives = pairs.pairs, pairs.pairs.negatives()
        assert ids.group is not None
        same_group = ids.group[:, None] == ids.group
        same_sequence = ids.sequence[:, None] == ids.sequence
        assert torch.equal(~negatives, same_group | same_sequence)
        assert torch.equal(same_group, same_sequence)  # as no kind has ids of both sorts
        n_masked += int((~negatives).sum()) - len(ids)
    assert n_masked > 0


def test_what_a_kind_gives_does_not_depend_on_the_others() -> None:
    alone, mixed = _sequences(batch_size=20, pairs_in_buffer=256), _mixture()
    for _ in range(30):
        assert torch.equal(next(alone), next(mixed)[:20])


def test_new_shares_hold_from_the_next_batch_on() -> None:
    pairs = _mixture()
    for shares, counts in (
        (BOTH, {"same_sequence": 10, "paraphrase": 22}),
        ({"paraphrase": 1.0}, {"paraphrase": 32}),
        ({"same_sequence": 5, "paraphrase": 0}, {"same_sequence": 32}),
        ({"paraphrase": 1, "same_sequence": 1}, {"same_sequence": 16, "paraphrase": 16}),
    ):
        pairs.set_shares(shares)
        for _ in range(15):
            rows = next(pairs).view(-1, 2, 3)
            assert len(rows) == 32
            assert pairs.counts == counts
            assert list(pairs.counts) == list(counts)


def test_no_pair_is_served_twice_when_shares_change() -> None:
    mixed = _mixture()
    seen: list[torch.Tensor] = []
    for step in range(60):
        mixed.set_shares({"same_sequence": 1 + step % 5, "paraphrase": 2})
        rows = next(mixed)[: 2 * mixed.counts["same_sequence"]]
        seen.append(rows.view(-1, 6))
    rows = torch.cat(seen)
    assert len(rows.unique(dim=0)) == len(rows)


def test_a_kind_of_share_0_is_not_drawn_from() -> None:
    model = ReadTokens()
    sources = {
        "same_sequence": sequence_pairs(),
        "paraphrase": paraphrase_pairs(TinyworldParaphrases(0), model=model),
    }
    pairs = stream(sources, {"same_sequence": 1.0, "paraphrase": 0.0})
    for _ in range(50):
        next(pairs)
    assert not model.shapes
    assert pairs.state_dict()["buffers"]["paraphrase"]["waiting"] == []
    pairs.set_shares(BOTH)
    next(pairs)
    assert model.shapes


@pytest.mark.parametrize("n_batches", [0, 1, 9, 25])
def test_a_restored_mixture_resumes_with_the_same_batches_across_a_change_of_shares(
    n_batches: int,
) -> None:
    pairs = _mixture(shuffled=("same_sequence", "paraphrase"))
    for step in range(n_batches):
        if step == 5:
            pairs.set_shares({"same_sequence": 0.6, "paraphrase": 0.4})
        next(pairs)
    restored = _mixture(shuffled=("same_sequence", "paraphrase"))
    restored.load_state_dict(pairs.state_dict())
    assert restored.shares == pairs.shares
    for step in range(30):
        if step == 12:
            pairs.set_shares({"paraphrase": 1.0})
            restored.set_shares({"paraphrase": 1.0})
        assert torch.equal(next(pairs), next(restored))
        assert torch.equal(pairs.pairs.sequence, restored.pairs.sequence)
        assert pairs.counts == restored.counts


@pytest.mark.filterwarnings("ignore::csae_bench.activations.sources.EpochWarning")
@pytest.mark.parametrize("n_batches", [3, 21, 40])
def test_a_restored_stream_of_a_file_resumes_across_the_end_of_a_pass(
    tmp_path: Path, n_batches: int
) -> None:
    texts = [f"the {one} rocket was seen by {n} sailors" for n in "abcdefg" for one in ("a", "b")]
    rows = [{"group": text[-9], "text": text} for text in texts]
    file = write_jsonl(tmp_path / "pairs.jsonl", *rows)
    options: dict[str, Any] = {"dataset": str(file), "batch_size": 32, "pairs_in_buffer": 32}
    pairs = _mixture(**options)
    for _ in range(n_batches):
        next(pairs)
    restored = _mixture(**options)
    restored.load_state_dict(pairs.state_dict())
    before = restored.epochs
    for _ in range(30):
        assert torch.equal(next(pairs), next(restored))
        assert pairs.epochs == restored.epochs
    assert restored.epochs > before


def test_state_is_of_what_torch_loads_safely(tmp_path: Path) -> None:
    pairs = _mixture(shuffled=("same_sequence", "paraphrase"))
    next(pairs)
    torch.save(pairs.state_dict(), tmp_path / "state.pt")
    restored = _mixture(shuffled=("same_sequence", "paraphrase"))
    restored.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(next(pairs), next(restored))


def test_shuffled_no_pair_keeps_its_positive_and_the_rows_are_the_same() -> None:
    plain, shuffled = _mixture(), _mixture(shuffled=("same_sequence", "paraphrase"))
    for _ in range(20):
        one = next(plain).view(-1, 2, 3)
        other = next(shuffled).view(-1, 2, 3)
        assert torch.equal(one[:, 0], other[:, 0])
        for kind in (slice(0, 10), slice(10, 32)):  # never across kinds
            positives, exchanged = one[kind, 1].tolist(), other[kind, 1].tolist()
            assert sorted(positives) == sorted(exchanged)
        assert torch.equal(plain.pairs.group, shuffled.pairs.group)  # pyright: ignore[reportArgumentType]
        assert (one[:, 1] != other[:, 1]).any(1).all()


def test_a_dataset_too_small_for_one_batch_is_an_error() -> None:
    with pytest.raises(DataError, match=r"same_sequence pairs is too small: .* 128 rows, .* 256"):
        next(_sequences(NumberedSource(n_windows=2), batch_size=256))


@pytest.mark.filterwarnings("ignore::csae_bench.activations.sources.EpochWarning")
def test_a_small_dataset_that_fills_a_batch_is_read_again() -> None:
    pairs = _sequences(NumberedSource(n_windows=16), batch_size=256)
    for _ in range(20):
        next(pairs)
    assert pairs.epochs > 1


def test_one_group_is_enough_where_it_fills_a_batch() -> None:
    group = collected(("the rocket was seen", "we did see that rocket", "seen was the rocket"))
    pairs = stream({"paraphrase": paraphrase_pairs(group)}, batch_size=4, pairs_in_buffer=8)
    with pytest.warns(EpochWarning, match="ended after 1 groups; starting over"):
        next(pairs)
    assert not pairs.pairs.negatives().any()


def test_a_buffer_below_one_batch_is_an_error_that_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"activations\.pairs_in_buffer is 16; .* at least 32"):
        _sequences(pairs_in_buffer=16)


@pytest.mark.parametrize("batch_size", [63, 0])
def test_an_odd_or_empty_batch_is_an_error(batch_size: int) -> None:
    with pytest.raises(ConfigError, match="must be even"):
        _sequences(batch_size=batch_size)


def test_a_batch_of_one_pair_is_served_but_cannot_be_shuffled() -> None:
    assert next(_sequences(batch_size=2)).shape == (2, 3)
    with pytest.raises(ConfigError, match=r"must be at least 2, as its pairs are shuffled"):
        _sequences(batch_size=2, shuffled=("same_sequence",))


def test_batches_drawn_ahead_are_those_drawn_when_they_are_asked_for() -> None:
    pairs, twin = _mixture(), _mixture()
    for number in range(30):
        if number % 3:
            pairs.draw_ahead()
            pairs.draw_ahead()  # once more makes no difference
        assert torch.equal(next(pairs), next(twin))
        assert torch.equal(pairs.pairs.sequence, twin.pairs.sequence)
        assert pairs.counts == twin.counts


@pytest.mark.parametrize("draws_ahead", [True, False])
def test_a_state_holds_the_batch_that_was_drawn_ahead(draws_ahead: bool) -> None:
    pairs, twin = _mixture(), _mixture()
    for _ in range(5):
        next(pairs)
        next(twin)
    if draws_ahead:
        pairs.draw_ahead()
    restored = _mixture()
    restored.load_state_dict(pairs.state_dict())
    restored.set_shares(BOTH)  # as a training that resumes does
    for _ in range(60):
        expected = next(twin)
        assert torch.equal(next(pairs), expected)
        assert torch.equal(next(restored), expected)
        assert torch.equal(restored.pairs.group, twin.pairs.group)


def test_the_pairs_of_the_last_batch_stay_while_the_next_is_drawn() -> None:
    pairs = _mixture()
    next(pairs)
    before = pairs.pairs.sequence.clone()
    pairs.draw_ahead()
    pairs.wait()
    assert torch.equal(pairs.pairs.sequence, before)


def test_an_error_of_a_batch_drawn_ahead_is_raised_where_the_batch_is_asked_for() -> None:
    pairs = _sequences(NumberedSource(n_windows=16, usable_share=0))
    pairs.draw_ahead()
    with pytest.raises(DataError, match="No pairs in"):
        next(pairs)
