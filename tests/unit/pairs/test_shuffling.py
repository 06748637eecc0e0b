"""The control of shuffled pairs."""

from __future__ import annotations

import pytest
import torch

from csae_bench.pairs.shuffling import exchange_partners


def _pairs(n_pairs: int) -> torch.Tensor:
    number = torch.arange(n_pairs).float()[:, None]
    return torch.cat([number, -number], dim=1).repeat_interleave(2, dim=1)


@pytest.mark.parametrize("n_pairs", [2, 3, 10, 1000])
def test_no_pair_keeps_its_positive_and_every_row_stays(n_pairs: int) -> None:
    rows = exchange_partners(_pairs(n_pairs), 2, torch.Generator().manual_seed(n_pairs))
    assert torch.equal(rows[:, :2], _pairs(n_pairs)[:, :2])
    assert (rows[:, 2] != -rows[:, 0]).all()
    assert torch.equal(rows[:, 2:].sort(0).values, _pairs(n_pairs)[:, 2:].sort(0).values)


def test_every_other_positive_is_equally_likely() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([-exchange_partners(_pairs(5), 2, generator)[0, 2] for _ in range(4000)])
    counts = drawn.long().bincount(minlength=5)
    assert counts[0] == 0
    # 1000 expected, standard deviation 27
    assert (counts[1:] - 1000).abs().max() < 110


def test_of_three_rows_the_third_stays_with_the_anchor() -> None:
    pairs = _pairs(10)
    rows = exchange_partners(torch.cat([pairs, pairs[:, :2]], 1), 2, torch.Generator())
    assert torch.equal(rows[:, 4:], rows[:, :2])
    assert (rows[:, 2] != -rows[:, 0]).all()
