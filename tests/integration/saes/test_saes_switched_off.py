"""With its terms switched off, a contrastive SAE is SAELens's own SAE; switched on, it says so."""

from typing import Any

import pytest
import torch

from csae_bench.errors import TrainingError
from csae_bench.saes.contrastive import ARCHITECTURES

BACKBONES = {
    name: name.removeprefix("contrastive_") if name != "contrastive" else "standard"
    for name in ARCHITECTURES
}


@pytest.mark.parametrize(("architecture", "backbone"), BACKBONES.items())
def test_a_weight_of_zero_trains_to_the_very_weights_of_sae_lens(
    train_with_sae_lens: Any, architecture: str, backbone: str
) -> None:
    stock = train_with_sae_lens(backbone, backbone).state_dict()
    for losses in ({}, {"rows": {"weight": 0.0, "warm_up_steps": 10}}):
        ours = train_with_sae_lens(architecture, backbone, losses=losses).state_dict()
        assert ours.keys() == stock.keys()
        for name, weight in stock.items():
            assert torch.equal(ours[name], weight), f"{name} with losses={losses}"


@pytest.mark.parametrize(("architecture", "backbone"), BACKBONES.items())
def test_a_term_under_the_trainer_of_sae_lens_is_a_clear_error(
    train_with_sae_lens: Any, architecture: str, backbone: str
) -> None:
    with pytest.raises(TrainingError, match="ContrastiveSAETrainingRunner"):
        train_with_sae_lens(architecture, backbone, losses={"rows": {"weight": 0.1}})
