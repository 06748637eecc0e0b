"""What the terms have beside the weights of an SAE, and that it is never saved with it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens.saes.sae import SAE

from csae_bench.config.loss_terms import RowsSettings
from csae_bench.saes.contrastive import ARCHITECTURES
from csae_bench.saes.export import export
from csae_bench.saes.heads import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    ContrastiveParts,
    projection_head,
)

EVERYTHING: dict[str, dict[str, Any]] = {
    "rows": {"weight": 1, "projection": "mlp", "projection_width": 5, "temperature": "learned"},
    "columns": {"weight": 1, "min_firings": 1},
    "triplet": {"weight": 1},
    "barlow": {"weight": 1, "min_firings": 1},
    "cross_view": {"weight": 1, "min_latents": 1},
    "push_up": {"weight": 1, "min_latents": 1},
    "mixing": {"weight": 1},
}


@pytest.mark.parametrize(
    ("projection", "n_parameters"),
    [("linear", 10 * 6), ("mlp", (10 * 6 + 6) + (6 * 6 + 6))],
)
def test_a_head_goes_from_the_latents_that_rows_compares_to_its_width(
    projection: Any, n_parameters: int
) -> None:
    settings = RowsSettings(projection=projection, projection_width=6, latent_fraction=0.25)
    head = projection_head(40, settings, "cpu")
    assert head is not None
    assert head(torch.zeros(3, 10)).shape == (3, 6)
    assert sum(each.numel() for each in head.parameters()) == n_parameters


def test_there_is_no_head_and_no_temperature_unless_asked_for() -> None:
    for rows in (None, RowsSettings()):
        parts = ContrastiveParts(40, rows, device="cpu")
        assert parts.head is None
        assert parts.temperature() is None
        assert not list(parts.parameters())


def learned() -> ContrastiveParts:
    return ContrastiveParts(40, RowsSettings(temperature="learned"), device="cpu")


def test_a_learned_temperature_starts_at_a_fifth() -> None:
    temperature = learned().temperature()
    assert temperature is not None
    assert temperature.item() == pytest.approx(0.2)


@pytest.mark.parametrize(("given", "held"), [(1e-9, LOWEST_TEMPERATURE), (50, HIGHEST_TEMPERATURE)])
def test_a_learned_temperature_stays_in_its_range_and_can_come_back(
    given: float, held: float
) -> None:
    parts = learned()
    assert parts.log_temperature is not None
    parts.log_temperature.data.fill_(math.log(given))
    temperature = parts.temperature()
    assert temperature is not None
    assert temperature.item() == pytest.approx(held, rel=1e-5)
    temperature.backward()
    assert parts.log_temperature.grad is not None
    assert parts.log_temperature.grad.item() == pytest.approx(held, rel=1e-5)


@pytest.mark.parametrize("projection", ["linear", "mlp"])
def test_head_and_temperature_are_trained_with_the_sae(
    architecture: str, make_sae: Any, make_step: Any, projection: str
) -> None:
    rows = {"weight": 1, "projection": projection, "projection_width": 5, "temperature": "learned"}
    sae = make_sae(architecture, losses={"rows": rows})
    sae.training_forward_pass(make_step(sae)).loss.backward()
    trained = dict(sae.contrast.named_parameters())
    assert "log_temperature" in trained
    assert len(trained) == (2 if projection == "linear" else 5)
    for name, parameter in trained.items():
        assert parameter.grad.abs().sum() > 0, name


def stock_of(architecture: str) -> type[Any]:
    """SAELens's class that the architecture builds on."""
    return ARCHITECTURES[architecture].training_sae.__mro__[2]


@pytest.mark.parametrize("losses", [{}, EVERYTHING], ids=["none", "all"])
def test_the_initial_weights_are_those_of_the_stock_twin_to_the_bit(
    architecture: str, make_sae: Any, losses: dict[str, Any]
) -> None:
    sae = make_sae(architecture, seed=3, losses=losses)
    torch.manual_seed(3)
    stock = stock_of(architecture)(sae.cfg).state_dict()
    own = sae.state_dict()
    assert {key for key in own if not key.startswith("contrast.")} == stock.keys()
    for key, value in stock.items():
        assert torch.equal(own[key], value), key


def test_an_sae_without_terms_has_nothing_beside_its_weights(
    architecture: str, make_sae: Any
) -> None:
    sae = make_sae(architecture)
    assert sae.contrast is None
    assert not [key for key in sae.state_dict() if "contrast" in key]


def test_the_training_state_has_all_parts_and_is_restored(
    architecture: str, make_sae: Any, make_step: Any
) -> None:
    sae = make_sae(architecture, losses=EVERYTHING)
    sae.training_forward_pass(make_step(sae))
    other = make_sae(architecture, seed=9, losses=EVERYTHING)
    other.load_state_dict(sae.state_dict())
    parts = [key for key in sae.state_dict() if key.startswith("contrast.")]
    assert {key.split(".")[1] for key in parts} == {"_statistics", "head", "log_temperature"}
    for key, value in sae.state_dict().items():
        assert torch.equal(other.state_dict()[key], value)


def test_the_inference_form_has_no_part_of_the_objective_and_sae_lens_alone_loads_it(
    architecture: str, make_sae: Any, make_step: Any, tmp_path: Path
) -> None:
    folders: list[Path] = []
    for name, losses in (("full", EVERYTHING), ("plain", {})):
        sae = make_sae(architecture, losses=losses)
        sae.training_forward_pass(make_step(sae))
        sae.save_inference_model(tmp_path / name)
        folders.append(export(tmp_path / name, tmp_path / f"{name} stock", stock=True))
    loaded, plain = (SAE.load_from_disk(folder) for folder in folders)
    assert type(loaded).__module__.startswith("sae_lens.")
    assert json.loads((folders[0] / "cfg.json").read_text())["architecture"] != architecture
    weights, expected = loaded.state_dict(), plain.state_dict()
    assert weights.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(weights[key], value), key
