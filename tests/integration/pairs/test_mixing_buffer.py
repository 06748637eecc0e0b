"""The mixing buffer: SAELens's batches, with a state that can be saved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from sae_lens.training.mixing_buffer import mixing_buffer

from csae_bench.pairs.mixing_buffer import MixingBuffer, PackedPairs

CAPACITY, BATCH = 64, 8


def _chunks(sizes: list[int], width: int = 6) -> Iterator[PackedPairs]:
    start = 0
    for size in sizes:
        numbers = torch.arange(start, start + size)
        yield PackedPairs(numbers[:, None].float().repeat(1, width), numbers[:, None])
        start += size


def _batches(buffer: MixingBuffer, chunks: Iterator[PackedPairs]) -> Iterator[PackedPairs]:
    for chunk in chunks:
        buffer.add(chunk)
        while (batch := buffer.take(BATCH)) is not None:
            yield batch


@pytest.mark.parametrize("sizes", [[24] * 20, [100] * 6, [5, 70, 3, 3, 64, 20, 9, 200]])
@pytest.mark.parametrize("mix_fraction", [0.5, 0.0, 0.25, 1.0])
def test_buffer_yields_what_saelens_yields_under_equal_permutations(
    sizes: list[int], mix_fraction: float
) -> None:
    torch.manual_seed(3)
    theirs = list(
        mixing_buffer(CAPACITY, BATCH, (c.rows for c in _chunks(sizes)), mix_fraction=mix_fraction)
    )
    generator = torch.Generator().manual_seed(3)
    buffer = MixingBuffer(CAPACITY, generator, mix_fraction=mix_fraction)
    ours = list(_batches(buffer, _chunks(sizes)))
    assert len(ours) >= len(sizes)
    for mine, other in zip(ours, theirs, strict=False):  # SAELens also flushes what is left
        assert torch.equal(mine.rows, other)


def test_ids_stay_with_their_rows() -> None:
    buffer = MixingBuffer(CAPACITY, torch.Generator().manual_seed(0))
    for batch in _batches(buffer, _chunks([100] * 10)):
        assert torch.equal(batch.rows[:, 0].long(), batch.ids[:, 0])


def test_no_pair_is_served_twice() -> None:
    buffer = MixingBuffer(CAPACITY, torch.Generator().manual_seed(0))
    served = torch.cat([batch.ids for batch in _batches(buffer, _chunks([100] * 10))])
    assert len(served.unique()) == len(served)


@pytest.mark.parametrize("n_taken", [0, 1, 5, 12])
def test_restored_buffer_continues_with_the_same_batches(n_taken: int) -> None:
    sizes = [24] * 40
    chunks = _chunks(sizes)
    buffer = MixingBuffer(CAPACITY, torch.Generator().manual_seed(7))
    served = _batches(buffer, chunks)
    for _ in range(n_taken):
        next(served)
    state = buffer.state_dict()
    rest_of_chunks = list(chunks)

    def follow(one: MixingBuffer) -> list[torch.Tensor]:
        ready = []
        while (batch := one.take(BATCH)) is not None:
            ready.append(batch.rows)
        return ready + [batch.rows for batch in _batches(one, iter(rest_of_chunks))]

    restored = MixingBuffer(CAPACITY, torch.Generator().manual_seed(99))
    restored.load_state_dict(state)
    expected, actual = follow(buffer), follow(restored)
    assert len(expected) == len(actual) > 0
    assert all(torch.equal(a, b) for a, b in zip(expected, actual, strict=True))


def test_state_is_not_changed_by_what_the_buffer_does_next() -> None:
    buffer = MixingBuffer(CAPACITY, torch.Generator().manual_seed(0))
    served = _batches(buffer, _chunks([24] * 20))
    next(served)
    state = buffer.state_dict()
    before = state["serving"][0].clone()
    list(served)
    assert torch.equal(state["serving"][0], before)


def test_no_pair_is_lost_or_served_twice_when_the_number_taken_changes() -> None:
    buffer = MixingBuffer(CAPACITY, torch.Generator().manual_seed(0))
    sizes = [24, 40, 100, 5, 64, 200] * 4
    served: list[torch.Tensor] = []
    for chunk in _chunks(sizes):
        buffer.add(chunk)
        while (taken := buffer.take(1 + 7 * len(served) % 40)) is not None:
            served.append(taken.ids[:, 0])
    ids = torch.cat(served)
    assert len(ids.unique()) == len(ids)
    state = buffer.state_dict()
    assert state["serving"] is None
    waiting = sum(len(chunk[0]) for chunk in state["waiting"])
    assert len(ids) + waiting == sum(sizes)


def test_what_is_taken_is_as_many_as_were_asked_for() -> None:
    buffer = MixingBuffer(CAPACITY, torch.Generator().manual_seed(0))
    chunks = _chunks([100] * 20)
    for n_pairs in (8, 64, 3, 17, 1, 40):
        while (taken := buffer.take(n_pairs)) is None:
            buffer.add(next(chunks))
        assert len(taken.rows) == len(taken.ids) == n_pairs


def test_more_is_not_added_before_what_is_ready_was_taken() -> None:
    buffer = MixingBuffer(CAPACITY, torch.Generator())
    chunks = _chunks([100] * 3)
    buffer.add(next(chunks))
    with pytest.raises(ValueError, match="must be taken before"):
        buffer.add(next(chunks))
    buffer.take(BATCH)
    with pytest.raises(ValueError, match="must be taken before"):
        buffer.add(next(chunks))


@pytest.mark.parametrize("n_pairs", [0, 65])
def test_a_number_of_pairs_that_the_buffer_cannot_hold_is_refused(n_pairs: int) -> None:
    with pytest.raises(ValueError, match=f"{n_pairs} pairs .* buffer of 64 it must be 1 to 64"):
        MixingBuffer(CAPACITY, torch.Generator()).take(n_pairs)


def test_mix_fraction_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        MixingBuffer(8, torch.Generator(), mix_fraction=1.5)
