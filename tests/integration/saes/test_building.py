"""Our settings to SAELens's configs, with none left out."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from sae_lens.registry import SAE_TRAINING_CLASS_REGISTRY, get_sae_training_class

from csae_bench.config import (
    ContrastiveMatryoshkaBatchTopKSae,
    ContrastiveTopKSae,
    JumpReluSae,
    TopKSae,
    TrainedSae,
)
from csae_bench.errors import SaeError
from csae_bench.saes import register
from csae_bench.saes.building import LEFT_AT_DEFAULT, SET_BY_BUILDING, training_sae

register()


def settings_classes(base: type[TrainedSae] = TrainedSae) -> Iterator[type[Any]]:
    for subclass in base.__subclasses__():
        yield subclass
        yield from settings_classes(subclass)


SETTINGS = sorted(set(settings_classes()), key=lambda settings: settings.__name__)


def test_there_are_settings_for_each_architecture_that_sae_lens_trains_and_five_twins() -> None:
    """A transcoder is no SAE, and training one needs pairs of hooks."""
    names = {settings().architecture for settings in SETTINGS}
    assert len(names) == len(SETTINGS)
    contrastive = {name for name in names if name.startswith("contrastive")}
    assert len(contrastive) == 5
    stock = {name for name in SAE_TRAINING_CLASS_REGISTRY if not name.startswith("contrastive")}
    assert names - contrastive == {name for name in stock if "transcoder" not in name}


@pytest.mark.parametrize("settings", SETTINGS)
def test_each_field_of_sae_lens_is_a_setting_or_left_out_on_purpose(settings: type[Any]) -> None:
    config_class = get_sae_training_class(settings().architecture)[1]
    fields = {field.name for field in dataclasses.fields(config_class)}
    ours = set(settings.model_fields) - {"architecture"}
    assert ours == fields - SET_BY_BUILDING - LEFT_AT_DEFAULT


@pytest.mark.parametrize("settings", SETTINGS)
def test_each_setting_reaches_the_sae(settings: type[Any]) -> None:
    given = settings(d_sae=64)
    sae = training_sae(given, d_in=8, device="cpu", metadata={"hook_name": "here"})
    config = sae.cfg.to_dict()
    for name, value in given.model_dump().items():
        if name == "matryoshka_widths":
            value = list(given.widths())
        assert config[name] == value, name
    assert (sae.cfg.d_in, sae.cfg.device, sae.cfg.metadata.hook_name) == (8, "cpu", "here")


def test_the_terms_of_the_objective_reach_the_sae() -> None:
    settings = ContrastiveTopKSae.model_validate({"losses": {"rows": {"weight": 0.3}}})
    sae = training_sae(settings, d_in=8, device="cpu", metadata={})
    assert sae.get_coefficients()["rows"] == (0.3, 0)


def test_matryoshka_widths_default_to_an_eighth_a_quarter_a_half_and_all() -> None:
    settings = ContrastiveMatryoshkaBatchTopKSae(d_sae=64)
    sae = training_sae(settings, d_in=8, device="cpu", metadata={})
    assert sae.cfg.matryoshka_widths == [8, 16, 32, 64]


def test_the_weights_follow_torchs_seed() -> None:
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(training_sae(TopKSae(d_sae=32), d_in=8, device="cpu", metadata={}).W_dec)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_what_sae_lens_refuses_is_an_error_with_its_reason() -> None:
    settings = JumpReluSae(d_sae=32, jumprelu_sparsity_loss_mode="quadratic", target_l0=33)
    with pytest.raises(SaeError, match="target_l0 must be less than or equal to"):
        training_sae(settings, d_in=8, device="cpu", metadata={})
