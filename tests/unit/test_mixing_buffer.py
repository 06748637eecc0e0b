"""The mixing buffer: SAELens's batches, with a state that can be saved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from sae_lens.training.mixing_buffer import mixing_buffer

from csae_bench.mixing_buffer import MixingBuffer, PackedPairs

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
        while (batch := buffer.take()) is not None:
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
    buffer = MixingBuffer(CAPACITY, BATCH, generator, mix_fraction=mix_fraction)
    ours = list(_batches(buffer, _chunks(sizes)))
    assert len(ours) >= len(sizes)
    for mine, other in zip(ours, theirs, strict=False):  # SAELens also flushes what is left
        assert torch.equal(mine.rows, other)


def test_ids_stay_with_their_rows() -> None:
    buffer = MixingBuffer(CAPACITY, BATCH, torch.Generator().manual_seed(0))
    for batch in _batches(buffer, _chunks([100] * 10)):
        assert torch.equal(batch.rows[:, 0].long(), batch.ids[:, 0])


def test_no_pair_is_served_twice() -> None:
    buffer = MixingBuffer(CAPACITY, BATCH, torch.Generator().manual_seed(0))
    served = torch.cat([batch.ids for batch in _batches(buffer, _chunks([100] * 10))])
    assert len(served.unique()) == len(served)


@pytest.mark.parametrize("n_taken", [0, 1, 5, 12])
def test_restored_buffer_continues_with_the_same_batches(n_taken: int) -> None:
    sizes = [24] * 40
    chunks = _chunks(sizes)
    buffer = MixingBuffer(CAPACITY, BATCH, torch.Generator().manual_seed(7))
    served = _batches(buffer, chunks)
    for _ in range(n_taken):
        next(served)
    state = buffer.state_dict()
    rest_of_chunks = list(chunks)

    def follow(one: MixingBuffer) -> list[torch.Tensor]:
        ready = []
        while (batch := one.take()) is not None:
            ready.append(batch.rows)
        return ready + [batch.rows for batch in _batches(one, iter(rest_of_chunks))]

    restored = MixingBuffer(CAPACITY, BATCH, torch.Generator().manual_seed(99))
    restored.load_state_dict(state)
    expected, actual = follow(buffer), follow(restored)
    assert len(expected) == len(actual) > 0
    assert all(torch.equal(a, b) for a, b in zip(expected, actual, strict=True))


def test_state_is_not_changed_by_what_the_buffer_does_next() -> None:
    buffer = MixingBuffer(CAPACITY, BATCH, torch.Generator().manual_seed(0))
    served = _batches(buffer, _chunks([24] * 20))
    next(served)
    state = buffer.state_dict()
    before = state["serving"][0].clone()
    list(served)
    assert torch.equal(state["serving"][0], before)


def test_buffer_smaller_than_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="at least a batch of 8"):
        MixingBuffer(4, 8, torch.Generator())


def test_mix_fraction_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        MixingBuffer(8, 8, torch.Generator(), mix_fraction=1.5)
