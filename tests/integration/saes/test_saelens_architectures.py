"""Each architecture of SAELens, from both forms that it saves, has the codes that SAELens gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens import SAE
from sae_lens.registry import (
    SAE_CLASS_REGISTRY,
    SAE_TRAINING_CLASS_REGISTRY,
    get_sae_class,
    get_sae_training_class,
)
from sae_lens.training.activation_scaler import ActivationScaler
from torch import Tensor

from csae_bench.saes import architectures
from csae_bench.saes.loading import load_sae, training_architecture

D_IN, D_SAE = 8, 24
INFERENCE = sorted({*SAE_CLASS_REGISTRY} & {*architectures.INFERENCE} - architectures.OURS)
TRAINED = sorted(
    name
    for name in {*SAE_TRAINING_CLASS_REGISTRY} & {*architectures.TRAINING}
    if not name.startswith("contrastive")
)
FOLDS = ("standard", "gated", "jumprelu", "batchtopk", "matryoshka_batchtopk")
"""Those of which decoder norms may be folded whatever the settings."""

pytestmark = pytest.mark.filterwarnings("ignore:decoder_init_norm must be set to 1.0")


@pytest.fixture(scope="module")
def acts() -> Tensor:
    return 3 * torch.randn(64, D_IN, generator=torch.Generator().manual_seed(1))


def fields(name: str) -> dict[str, Any]:
    chosen: dict[str, Any] = {"k": 4} if "topk" in name else {}
    chosen |= {"matryoshka_widths": [6, D_SAE]} if name == "matryoshka_batchtopk" else {}
    return chosen | ({"max_iterations": 5} if name == "matching_pursuit" else {})


def draw(sae: Any) -> None:
    """Weights at random, biases and thresholds too; decoder norms far from 1, but where tied."""
    generator = torch.Generator().manual_seed(2)
    for name, parameter in sae.named_parameters():
        parameter.data = 0.4 * torch.randn(parameter.shape, generator=generator)
        if "threshold" in name:
            parameter.data = parameter.data.abs()
    if sae.cfg.architecture() == "matching_pursuit":
        sae.W_dec.data /= sae.W_dec.norm(dim=1, keepdim=True)


def test_every_architecture_of_saelens_that_reads_one_activation_is_listed() -> None:
    assert INFERENCE == ["abstopk", "gated", "jumprelu", "matching_pursuit", "standard", "topk"]
    assert sorted([*INFERENCE, "batchtopk", "matryoshka_batchtopk"]) == TRAINED


@pytest.mark.parametrize("name", INFERENCE)
def test_an_inference_form_has_the_codes_of_saelens(
    name: str, acts: Tensor, tmp_path: Path
) -> None:
    sae_class, config_class = get_sae_class(name)
    sae = sae_class(config_class(d_in=D_IN, d_sae=D_SAE, **fields(name)))
    draw(sae)
    sae.save_model(tmp_path)
    loaded = load_sae(tmp_path)
    own = SAE.load_from_disk(tmp_path, fold_W_dec_norm=name in FOLDS)
    with torch.no_grad():
        assert torch.equal(loaded.encode(acts), own.encode(acts))
        torch.testing.assert_close(loaded(acts), sae(acts), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TRAINED)
def test_a_training_form_has_the_reconstructions_of_its_inference_form(
    name: str, acts: Tensor, tmp_path: Path
) -> None:
    sae_class, config_class = get_sae_training_class(name)
    sae = sae_class(config_class(d_in=D_IN, d_sae=D_SAE, **fields(name)))
    draw(sae)
    sae.save_model(tmp_path / "training")
    sae.save_inference_model(tmp_path / "inference")
    loaded, own = load_sae(tmp_path / "training"), SAE.load_from_disk(tmp_path / "inference")
    assert training_architecture(loaded) == name
    with torch.no_grad():
        assert bool((loaded.encode(acts) != 0).any())
        torch.testing.assert_close(loaded(acts), own(acts), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TRAINED)
def test_a_scaling_of_the_training_is_folded(name: str, acts: Tensor, tmp_path: Path) -> None:
    sae_class, config_class = get_sae_training_class(name)
    chosen = {**fields(name), "normalize_activations": "expected_average_only_in"}
    sae = sae_class(config_class(d_in=D_IN, d_sae=D_SAE, **chosen))
    draw(sae)
    sae.save_model(tmp_path)
    sae.cfg.normalize_activations = "none"
    sae.save_inference_model(tmp_path / "of scaled activations")
    ActivationScaler(scaling_factor=3.0).save(str(tmp_path / "activation_scaler.json"))
    loaded = load_sae(tmp_path)
    of_scaled = load_sae(tmp_path / "of scaled activations")
    with torch.no_grad():
        torch.testing.assert_close(loaded(acts), of_scaled(3 * acts) / 3, rtol=1e-4, atol=1e-5)
