"""Which pairs of a batch are of which kind, with and without groups of three."""

from __future__ import annotations

import pytest
import torch

from csae_bench.pairs.layout import IDS, VALUES, Layout
from csae_bench.pairs.mixing_buffer import PackedPairs

D_IN = 2


def _packed(kind: int, n: int, n_together: int = 2) -> PackedPairs:
    """Rows of (kind, number, place among those together)."""
    unit = torch.arange(n, dtype=torch.float32)[:, None]
    rows = [
        torch.cat([10 * kind + torch.zeros(n, 1) + place, unit], 1) for place in range(n_together)
    ]
    ids = torch.full((n, len(IDS)), -1)
    ids[:, 1] = 100 * kind + torch.arange(n)
    if n_together == 3:
        ids[:, VALUES] = torch.tensor([4, 5])
    return PackedPairs(torch.cat(rows, 1), ids)


def test_kinds_stand_side_by_side_in_the_order_of_the_sources() -> None:
    layout = Layout.of({"same_sequence": 3, "paraphrase": 2, "minimal": 4})
    assert layout.kinds == {
        "same_sequence": slice(0, 3),
        "paraphrase": slice(3, 5),
        "minimal": slice(5, 9),
    }
    assert layout.counts == {"same_sequence": 3, "paraphrase": 2, "minimal": 4}
    assert layout.minimal() is None


@pytest.mark.parametrize(("n", "n_groups", "n_of_three"), [(1, 1, 0), (2, 1, 1), (7, 4, 3)])
def test_a_group_of_three_is_two_pairs_and_the_last_of_an_odd_number_one(
    n: int, n_groups: int, n_of_three: int
) -> None:
    layout = Layout.of({"same_sequence": 5, "minimal": n}, ["minimal"])
    assert layout.taken == {"same_sequence": 5, "minimal": n_groups}
    assert sum(layout.counts.values()) == 5 + n
    assert layout.counts.get("paraphrase", 0) == n_of_three


@pytest.mark.parametrize("own", [0, 3])
def test_three_that_belong_together_reach_a_batch_together(own: int) -> None:
    n_pairs = {"same_sequence": 2, **({"paraphrase": own} if own else {}), "minimal": 5}
    layout = Layout.of(n_pairs, ["minimal"])
    parts = {
        "same_sequence": _packed(1, 2),
        "paraphrase": _packed(2, own),
        "minimal": _packed(3, layout.taken["minimal"], 3),
    }
    rows, ids = layout.assembled({kind: parts[kind] for kind in n_pairs})
    assert len(rows) == sum(n_pairs.values())
    pairs = rows.view(-1, 2, D_IN)
    minimal = layout.minimal()
    assert minimal is not None
    with_minimal = (minimal >= 0).nonzero().squeeze(1).tolist()
    place = layout.kinds["paraphrase"]
    assert with_minimal == list(range(place.stop - 2, place.stop))
    for pair in with_minimal:
        other = int(minimal[pair])
        assert torch.equal(pairs[pair, 0], pairs[other, 0])  # the same anchor
        assert pairs[pair, 1, 0] == 32  # its paraphrase
        assert pairs[other, 1, 0] == 31  # its minimal pair
        assert pairs[pair, 1, 1] == pairs[other, 1, 1] == pairs[pair, 0, 1]
        assert ids[pair, 1] == ids[other, 1]
        assert ids[pair, VALUES].tolist() == [-1, -1]  # nothing differs
        assert ids[other, VALUES].tolist() == [4, 5]
    assert set(minimal[with_minimal].tolist()) <= {*range(*layout.kinds["minimal"].indices(99))}


def test_a_source_whose_paraphrases_come_later_is_laid_out_as_well() -> None:
    layout = Layout.of({"minimal": 4, "paraphrase": 3}, ["minimal"])
    parts = {"minimal": _packed(3, 2, 3), "paraphrase": _packed(2, 3)}
    rows, _ = layout.assembled(parts)
    minimal = layout.minimal()
    assert minimal is not None
    for pair in (minimal >= 0).nonzero().squeeze(1).tolist():
        assert torch.equal(rows[pair, :D_IN], rows[int(minimal[pair]), :D_IN])
    assert layout.counts == {"paraphrase": 5, "minimal": 2}


def test_one_kind_alone_is_not_copied() -> None:
    packed = _packed(1, 4)
    assert Layout.of({"same_sequence": 4}).assembled({"same_sequence": packed}) is packed
