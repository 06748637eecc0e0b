"""Which pairs may be told apart."""

import torch

from csae_bench.saes.pair_ids import PairIds


def test_pairs_of_one_sequence_are_no_negatives_of_each_other() -> None:
    negatives = PairIds(torch.tensor([7, 7, 3])).negatives()
    assert negatives.tolist() == [[False, False, True], [False, False, True], [True, True, False]]


def test_pairs_of_one_group_are_no_negatives_of_each_other() -> None:
    ids = PairIds(torch.tensor([0, 1, 2]), group=torch.tensor([5, 6, 5]))
    assert ids.negatives().tolist() == [
        [False, True, False],
        [True, False, True],
        [False, True, False],
    ]


def test_a_pair_is_no_negative_of_itself_and_negatives_are_mutual() -> None:
    generator = torch.Generator().manual_seed(0)
    sequence, group = torch.randint(0, 5, (2, 40), generator=generator)
    negatives = PairIds(sequence, group).negatives()
    assert not negatives.diagonal().any()
    assert torch.equal(negatives, negatives.T)
