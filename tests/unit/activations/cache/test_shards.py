"""Content of a shard."""

from __future__ import annotations

import pytest
import torch

from csae_bench.activations.cache.shards import pack, stored, unpack
from tests.unit.activations.cache.made import draw


def test_draws_come_back_as_they_were() -> None:
    made = [draw(number) for number in (7, 8, 12)]
    read = unpack(pack(made))
    assert [one._replace(tensors={}) for one in read] == [one._replace(tensors={}) for one in made]
    for one, other in zip(read, made, strict=True):
        assert one.tensors.keys() == other.tensors.keys()
        assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


def test_equal_draws_give_equal_bytes() -> None:
    assert pack([draw(1), draw(2)]) == pack([draw(1), draw(2)])
    assert pack([draw(1)]) != pack([draw(2)])


def test_many_draws_keep_their_order() -> None:
    read = unpack(pack([draw(number) for number in range(120)]))
    assert [one.tensors["acts"][0, 0].item() for one in read] == list(range(120))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_what_a_half_precision_model_gives_is_kept_in_its_type(dtype: torch.dtype) -> None:
    acts = torch.randn(5, 3).to(dtype).float()
    kept = stored(acts, dtype)
    assert kept.dtype == dtype
    assert torch.equal(kept.float(), acts)


def test_what_would_lose_bits_is_kept_in_float32() -> None:
    acts = torch.randn(5, 3)
    assert torch.equal(stored(acts, torch.bfloat16), acts)


def test_not_a_number_is_kept_as_it_is() -> None:
    acts = torch.tensor([1.0, float("nan"), float("inf")])
    assert torch.equal(stored(acts, torch.bfloat16), acts) is False  # nan is not equal to itself
    assert stored(acts, torch.bfloat16).view(torch.int32).equal(acts.view(torch.int32))


def test_what_is_kept_is_a_copy() -> None:
    acts = torch.zeros(2)
    kept = stored(acts, torch.float32)
    acts += 1
    assert torch.equal(kept, torch.zeros(2))
