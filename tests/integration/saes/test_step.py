"""The step input of paired rows."""

import pytest
import torch

from csae_bench.errors import TrainingError
from csae_bench.saes.step import PairedStepInput, PairIds


def step(n_rows: int, n_pairs: int) -> PairedStepInput:
    return PairedStepInput(
        sae_in=torch.zeros(n_rows, 3),
        coefficients={},
        dead_neuron_mask=None,
        n_training_steps=0,
        is_logging_step=False,
        pairs=PairIds(torch.arange(n_pairs)),
    )


def test_a_pair_is_two_rows() -> None:
    assert len(step(8, 4).pairs) == 4


@pytest.mark.parametrize("n_rows", [4, 7, 9])
def test_rows_that_do_not_match_the_pairs_are_refused_with_the_numbers(n_rows: int) -> None:
    with pytest.raises(TrainingError, match=f"batch of {n_rows} rows came with the ids of 4 pairs"):
        step(n_rows, 4)
