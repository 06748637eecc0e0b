"""SAEs that nobody trained: known answers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens import SAE
from sklearn.decomposition import PCA
from torch import Tensor

from csae_bench.errors import SaeError
from csae_bench.saes.baselines import identity, pca, permuted, random


@pytest.fixture(scope="module")
def acts() -> Tensor:
    """Activations [500, 12] with a mean and unequal variances."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(12, 12, generator=generator) * torch.linspace(3, 0.1, 12)
    return torch.randn(500, 12, generator=generator) @ mixing.T + 5


def explained_variance(sae: SAE[Any], rows: Tensor) -> float:
    with torch.no_grad():
        error = (rows - sae(rows)).double().square().sum()
    return 1 - (error / (rows - rows.mean(0)).double().square().sum()).item()


def l0(sae: SAE[Any], rows: Tensor) -> Tensor:
    return (sae.encode(rows) != 0).sum(1)


def test_identity_reconstructs_exactly(acts: Tensor) -> None:
    assert torch.equal(identity(12)(acts), acts)


def test_identity_has_as_many_active_latents_as_dimensions(acts: Tensor) -> None:
    assert (l0(identity(12), acts) == 12).all()


@pytest.mark.parametrize("n_components", [1, 5, 12])
def test_pca_explains_what_sklearns_pca_explains(acts: Tensor, n_components: int) -> None:
    reference = PCA(n_components).fit(acts.double().numpy())
    expected = reference.explained_variance_ratio_.sum()
    # Computed in float32, whose rounding of a reconstruction is far below this.
    assert explained_variance(pca(acts, n_components), acts) == pytest.approx(expected, abs=1e-5)


def test_pca_has_one_active_latent_per_component(acts: Tensor) -> None:
    sae = pca(acts, 5)
    assert sae.cfg.d_sae == 10
    assert (l0(sae, acts) == 5).all()


def test_pca_is_signed_by_its_largest_entries(acts: Tensor) -> None:
    axes = pca(acts, 5).W_dec[:5]
    assert (axes.gather(1, axes.abs().argmax(1, keepdim=True)) > 0).all()


def test_pca_of_more_components_than_there_are_is_refused(acts: Tensor) -> None:
    with pytest.raises(SaeError, match=r"n_components is 13.*at most 12"):
        pca(acts, 13)
    with pytest.raises(SaeError, match="at most 3"):
        pca(acts[:3], 4)


@pytest.mark.parametrize("fit", [lambda rows: pca(rows, 2), lambda rows: random(rows, 16, 4, 0)])
def test_a_baseline_is_not_fitted_to_what_is_not_finite(acts: Tensor, fit: Any) -> None:
    broken = acts.clone()
    broken[7, 3] = torch.nan
    with pytest.raises(SaeError, match="not finite"):
        fit(broken)


def test_random_has_unit_directions_and_the_transpose_times_one_gain(acts: Tensor) -> None:
    sae = random(acts, 32, 4, 0)
    gain = sae.W_enc.T / sae.W_dec
    assert torch.allclose(sae.W_dec.norm(dim=1), torch.ones(32))
    assert torch.allclose(gain, gain.mean(), rtol=1e-4)
    assert torch.allclose(sae.b_dec, acts.mean(0), rtol=1e-5)
    assert (l0(sae, acts) <= 4).all()


def test_randoms_gain_is_the_best_there_is(acts: Tensor) -> None:
    best = explained_variance(random(acts, 32, 4, 0), acts)
    for factor in (0.9, 1.1):
        sae = random(acts, 32, 4, 0)
        sae.W_enc.data *= factor
        assert explained_variance(sae, acts) < best


def test_random_fitted_to_equal_rows_is_finite() -> None:
    sae = random(torch.ones(10, 12), 32, 4, 0)
    assert all(weight.isfinite().all() for weight in sae.state_dict().values())


def test_random_needs_at_least_k_latents(acts: Tensor) -> None:
    with pytest.raises(SaeError, match="k is 17; it must be at most d_sae=16"):
        random(acts, 16, 17, 0)


def test_random_follows_its_seed_alone(acts: Tensor) -> None:
    first, again, other = (random(acts, 32, 4, seed) for seed in (3, 3, 4))
    assert torch.equal(first.W_dec, again.W_dec)
    assert torch.equal(first.W_enc, again.W_enc)
    assert not torch.equal(first.W_dec, other.W_dec)


def test_permuted_has_the_same_codes_and_other_reconstructions(acts: Tensor) -> None:
    sae = random(acts, 32, 4, 0)
    twin = permuted(sae, 1)
    assert torch.equal(twin.encode(acts), sae.encode(acts))
    assert explained_variance(twin, acts) < explained_variance(sae, acts) - 0.1


def test_permuted_leaves_no_latent_its_decoder_row_and_loses_none(acts: Tensor) -> None:
    sae = random(acts, 32, 4, 0)
    moved = permuted(sae, 1).W_dec
    matches = (moved[:, None] == sae.W_dec[None]).all(-1)
    assert matches.sum() == 32
    assert not matches.diagonal().any()


def test_permuted_keeps_l0_where_codes_depend_on_decoder_norms(acts: Tensor, make_sae: Any) -> None:
    training_sae = make_sae("contrastive_topk", d_in=12)
    sae = SAE.from_dict(training_sae.cfg.get_inference_sae_cfg_dict())
    sae.load_state_dict(training_sae.state_dict())
    sae.W_dec.data *= torch.linspace(0.2, 3, sae.cfg.d_sae)[:, None]
    sae.cfg.rescale_acts_by_decoder_norm = True
    assert torch.equal(l0(permuted(sae, 1), acts), l0(sae, acts))
    assert torch.allclose(permuted(sae, 1).encode(acts), sae.encode(acts), rtol=1e-4)


def test_permuted_follows_its_seed_alone_and_leaves_the_original(acts: Tensor) -> None:
    sae = random(acts, 32, 4, 0)
    before = sae.W_dec.clone()
    first, again, other = (permuted(sae, seed).W_dec for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(sae.W_dec, before)


def test_an_sae_that_encodes_with_its_decoder_cannot_be_permuted() -> None:
    config = {"architecture": "matching_pursuit", "d_in": 4, "d_sae": 8}
    with pytest.raises(SaeError, match="encodes with its decoder"):
        permuted(SAE.from_dict(config), 0)


def test_a_baseline_carries_its_name_and_the_metadata(acts: Tensor) -> None:
    metadata = {"model_name": "tiny", "hook_name": "here"}
    saes: dict[str, SAE[Any]] = {
        "identity": identity(12, metadata=metadata),
        "pca": pca(acts, 3, metadata=metadata),
        "random": random(acts, 32, 4, 0, metadata=metadata),
    }
    saes["permuted"] = permuted(saes["random"], 0)
    for name, sae in saes.items():
        assert sae.cfg.metadata.training_architecture == name
        assert sae.cfg.metadata.model_name == "tiny"
        assert sae.cfg.metadata.hook_name == "here"


def test_a_baseline_survives_saving_with_sae_lens(acts: Tensor, tmp_path: Path) -> None:
    for sae in (identity(12), pca(acts, 3), random(acts, 32, 4, 0)):
        sae.save_model(tmp_path)
        again = SAE.load_from_disk(tmp_path)
        assert again.cfg.architecture() in ("standard", "topk")
        assert torch.equal(again(acts), sae(acts))


def test_a_baseline_has_the_type_asked_for(acts: Tensor) -> None:
    for sae in (identity(12, dtype="bfloat16"), random(acts, 32, 4, 0, dtype="bfloat16")):
        assert sae.W_dec.dtype == torch.bfloat16
        assert sae.cfg.dtype == "bfloat16"
