"""Loading each form an SAE is saved in, and what is said of folders that are damaged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens import SAE, TrainingSAE
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.saes.jumprelu_sae import JumpReLUSAE
from sae_lens.training.activation_scaler import ActivationScaler
from safetensors.torch import load_file, save_file
from torch import Tensor

from csae_bench.errors import SaeError
from csae_bench.saes.baselines import identity, random
from csae_bench.saes.loading import load_sae, load_training_sae, training_architecture

ON = {"rows": {"weight": 0.5}}


@pytest.fixture(scope="module")
def acts() -> Tensor:
    return torch.randn(64, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def trained(make_sae: Any, make_step: Any) -> Callable[..., TrainingSAE[Any]]:
    """trained(architecture): a training SAE after one step, its decoder norms unequal."""

    def train(architecture: str, **fields: Any) -> TrainingSAE[Any]:
        sae = make_sae(architecture, losses=ON, **fields)
        sae.training_forward_pass(make_step(sae))
        sae.W_dec.data *= torch.linspace(0.5, 2, sae.cfg.d_sae)[:, None]
        sae.b_enc.data += 0.01
        return sae

    return train


def test_the_inference_form_loads_from_a_folder_and_from_our_checkpoint(
    architecture: str, trained: Any, acts: Tensor, tmp_path: Path
) -> None:
    sae = trained(architecture)
    sae.save_inference_model(tmp_path / "inference")
    expected = SAE.load_from_disk(tmp_path / "inference", fold_W_dec_norm=True)
    for source in (tmp_path, tmp_path / "inference", str(tmp_path)):
        loaded = load_sae(source)
        assert torch.equal(loaded.encode(acts), expected.encode(acts))
        assert torch.equal(loaded(acts), expected(acts))
        assert training_architecture(loaded) == architecture


def test_the_training_form_loads_as_its_inference_form(
    architecture: str, trained: Any, acts: Tensor, tmp_path: Path
) -> None:
    sae = trained(architecture)
    sae.save_model(tmp_path / "training")
    sae.save_inference_model(tmp_path / "inference")
    loaded, expected = load_sae(tmp_path / "training"), load_sae(tmp_path / "inference")
    assert type(loaded) is type(expected)
    assert torch.equal(loaded(acts), expected(acts))
    assert training_architecture(loaded) == architecture


def test_the_training_form_of_a_stock_batchtopk_loads_as_jumprelu(tmp_path: Path) -> None:
    config = BatchTopKTrainingSAEConfig(d_in=8, d_sae=24, k=4)
    BatchTopKTrainingSAE(config).save_model(tmp_path)
    loaded = load_sae(tmp_path)
    assert isinstance(loaded, JumpReLUSAE)
    assert training_architecture(loaded) == "batchtopk"


def test_the_rows_of_a_loaded_decoder_have_norm_one(trained: Any, tmp_path: Path) -> None:
    trained("contrastive").save_inference_model(tmp_path)
    norms = load_sae(tmp_path).W_dec.norm(dim=1)
    assert torch.allclose(norms, torch.ones_like(norms))


def test_norms_stay_where_folding_them_would_change_the_codes(
    trained: Any, acts: Tensor, tmp_path: Path
) -> None:
    sae = trained("contrastive_topk", rescale_acts_by_decoder_norm=False)
    sae.save_inference_model(tmp_path)
    assert torch.equal(load_sae(tmp_path).W_dec, sae.W_dec)
    assert torch.equal(load_sae(tmp_path).encode(acts), sae.encode(acts))


def test_a_loaded_sae_has_the_type_asked_for(trained: Any, tmp_path: Path) -> None:
    trained("contrastive_topk").save_inference_model(tmp_path)
    assert load_sae(tmp_path).W_dec.dtype == torch.float32
    loaded = load_sae(tmp_path, dtype=torch.bfloat16)
    assert loaded.W_dec.dtype == torch.bfloat16
    assert loaded.cfg.dtype == "bfloat16"


def test_a_loaded_training_sae_is_bit_for_bit_what_was_saved(
    architecture: str, trained: Any, tmp_path: Path
) -> None:
    sae = trained(architecture)
    sae.save_model(tmp_path)
    loaded = load_training_sae(tmp_path)
    assert loaded.cfg == sae.cfg
    assert loaded.state_dict().keys() == sae.state_dict().keys()
    for name, weight in sae.state_dict().items():
        assert loaded.state_dict()[name].dtype == weight.dtype
        assert torch.equal(loaded.state_dict()[name], weight), name


def test_loading_a_training_sae_draws_no_random_number(trained: Any, tmp_path: Path) -> None:
    trained("contrastive").save_model(tmp_path)
    state = torch.get_rng_state()
    load_training_sae(tmp_path)
    assert torch.equal(torch.get_rng_state(), state)


def test_sae_lens_itself_rounds_the_running_threshold(trained: Any, tmp_path: Path) -> None:
    """When this fails, load_training_sae may become TrainingSAE.load_from_disk."""
    trained("contrastive_batchtopk").save_model(tmp_path)
    assert load_training_sae(tmp_path).topk_threshold.dtype == torch.float64
    assert TrainingSAE.load_from_disk(tmp_path).topk_threshold.dtype == torch.float32


def test_a_scaling_of_the_activations_is_folded_into_the_weights(
    trained: Any, acts: Tensor, tmp_path: Path
) -> None:
    sae = trained("contrastive_topk", normalize_activations="expected_average_only_in")
    sae.save_model(tmp_path)
    ActivationScaler(scaling_factor=3.0).save(str(tmp_path / "activation_scaler.json"))
    with torch.no_grad():
        expected = sae(acts * 3) / 3
    assert torch.allclose(load_sae(tmp_path)(acts), expected, atol=1e-5)


@pytest.mark.parametrize("form", ["save_model", "save_inference_model"])
def test_a_scaling_that_nobody_knows_is_an_error(trained: Any, tmp_path: Path, form: str) -> None:
    sae = trained("contrastive_topk", normalize_activations="expected_average_only_in")
    getattr(sae, form)(tmp_path)
    with pytest.raises(SaeError, match=r"'expected_average_only_in'.*neither folded"):
        load_sae(tmp_path)


def test_the_architecture_of_an_sae_that_names_none_is_that_of_inference() -> None:
    sae = identity(4)
    delattr(sae.cfg.metadata, "training_architecture")
    assert training_architecture(sae) == "standard"


@pytest.fixture
def folder(acts: Tensor, tmp_path: Path) -> Path:
    """A sound folder, for a test to damage."""
    random(acts, 24, 4, 0).save_model(tmp_path)
    return tmp_path


def change_cfg(folder: Path, **changes: Any) -> None:
    path = folder / "cfg.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_weights(folder: Path, **changes: Tensor | None) -> None:
    path = folder / "sae_weights.safetensors"
    weights = {**load_file(path), **changes}
    save_file({name: weight for name, weight in weights.items() if weight is not None}, path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SaeError, match="nowhere: there is no such folder"):
        load_sae(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["cfg.json", "sae_weights.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(SaeError, match=f"{name} is missing"):
        load_sae(folder)


@pytest.mark.parametrize("text", ["", "{", '{"d_in": 8', "\x00\xff"])
def test_a_cfg_that_is_no_json_is_an_error(folder: Path, text: str) -> None:
    (folder / "cfg.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(SaeError, match=r"cfg\.json cannot be read as JSON"):
        load_sae(folder)


def test_a_cfg_that_is_no_object_is_an_error(folder: Path) -> None:
    (folder / "cfg.json").write_text("[1]")
    with pytest.raises(SaeError, match="holds a list"):
        load_sae(folder)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated_weights_are_an_error(folder: Path, kept: int) -> None:
    path = folder / "sae_weights.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SaeError, match="is damaged or no safetensors file"):
        load_sae(folder)


def test_an_unknown_architecture_is_an_error_with_a_suggestion(folder: Path) -> None:
    change_cfg(folder, architecture="top_k")
    with pytest.raises(SaeError, match=r"no architecture 'top_k'. Did you mean 'topk'"):
        load_sae(folder)


@pytest.mark.parametrize("changes", [{"d_in": None}, {"d_in": "eight"}, {"dtype": "int7"}])
def test_a_cfg_with_impossible_values_is_an_error(folder: Path, changes: dict[str, Any]) -> None:
    change_cfg(folder, **changes)
    with pytest.raises(SaeError, match="cannot be loaded"):
        load_sae(folder)


def test_a_cfg_without_a_width_is_an_error(folder: Path) -> None:
    cfg = json.loads((folder / "cfg.json").read_text())
    del cfg["d_sae"]
    (folder / "cfg.json").write_text(json.dumps(cfg))
    with pytest.raises(SaeError, match="d_sae"):
        load_sae(folder)


def test_weights_of_another_shape_are_an_error_that_names_them(folder: Path) -> None:
    change_cfg(folder, d_sae=25)
    with pytest.raises(SaeError, match=r"do not fit cfg\.json.*size mismatch for W_dec"):
        load_sae(folder)


def test_a_missing_weight_is_an_error_that_names_it(folder: Path) -> None:
    change_weights(folder, b_enc=None)
    with pytest.raises(SaeError, match=r"Missing key.*b_enc"):
        load_sae(folder)


def test_a_weight_too_many_is_an_error_that_names_it(folder: Path) -> None:
    change_weights(folder, extra=torch.zeros(2))
    with pytest.raises(SaeError, match=r"Unexpected key.*extra"):
        load_sae(folder)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_an_error_that_names_and_counts_them(
    folder: Path, value: float
) -> None:
    broken = torch.zeros(24)
    broken[:3] = value
    change_weights(folder, b_enc=broken)
    with pytest.raises(SaeError, match=r"not finite: b_enc \(3 of its values\)"):
        load_sae(folder)


def test_a_key_that_sae_lens_does_not_know_is_ignored_as_sae_lens_does(folder: Path) -> None:
    change_cfg(folder, colour="green")
    assert load_sae(folder).cfg.d_sae == 24


def test_an_unknown_term_in_a_training_form_is_an_error_that_names_the_folder(
    trained: Any, tmp_path: Path
) -> None:
    trained("contrastive").save_model(tmp_path)
    change_cfg(tmp_path, losses={"row": {}})
    with pytest.raises(SaeError, match=rf"{tmp_path}: Unknown loss term 'row'"):
        load_sae(tmp_path)
