"""SAELens's synthetic models as factor datasets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sae_lens import TopKSAE, TopKSAEConfig
from sae_lens.synthetic import SyntheticModel, SyntheticModelConfig

from csae_bench.errors import DataError
from csae_bench.factors import FactorDataset, open_factors
from csae_bench.factors.datasets.synthetic import oracle_sae, synthetic_factors, synthetic_world
from csae_bench.factors.encoding import codes_of_prompts


@pytest.fixture(scope="module")
def dataset() -> FactorDataset:
    return open_factors("synthetic")


def test_the_factors_are_whether_a_true_feature_is_active(dataset: FactorDataset) -> None:
    assert dataset.features is not None
    assert np.array_equal(dataset.factors, dataset.features.values > 0)
    assert dataset.prompts == ()


def test_the_activations_are_made_of_the_true_features(dataset: FactorDataset) -> None:
    features = dataset.features
    assert features is not None
    assert dataset.acts is not None
    made = features.values @ features.directions + features.bias
    np.testing.assert_allclose(made, dataset.acts, atol=1e-5)


def test_features_fire_by_themselves(dataset: FactorDataset) -> None:
    assert dataset.parents == {}
    # 4096 samples: the largest of 2016 correlations of independent features is about .06
    between = np.corrcoef(dataset.factors.T) - np.eye(dataset.n_factors)
    assert np.abs(between).max() < 0.08


def test_children_of_the_tree_fire_only_with_their_parents() -> None:
    tree = open_factors("synthetic_tree")
    assert len(tree.parents) == 24
    for child, parent in tree.parents.items():
        assert (tree.column(child) <= tree.column(parent)).all()


def test_splits_are_other_samples_of_the_same_world(dataset: FactorDataset) -> None:
    train = open_factors("synthetic", split="train")
    assert train.features is not None
    assert dataset.features is not None
    assert np.array_equal(train.features.directions, dataset.features.directions)
    assert not np.array_equal(train.factors, dataset.factors)


def test_sampling_leaves_the_global_generator_alone() -> None:
    world = synthetic_world()
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    synthetic_factors(world, n=10)
    assert torch.rand(1) == expected


def test_a_saved_model_is_the_same_dataset_again(tmp_path: Path) -> None:
    world = synthetic_world(seed=3, has_children=True)
    world.save(tmp_path / "world")
    loaded = open_factors(str(tmp_path / "world"), seed=5)
    direct = synthetic_factors(world, seed=5)
    assert np.array_equal(loaded.factors, direct.factors)
    assert loaded.parents == direct.parents


def test_a_damaged_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "synthetic_model_config.json").write_text("{}")
    with pytest.raises(DataError, match="SAELens cannot load this synthetic model"):
        open_factors(str(tmp_path))


def test_a_world_without_hierarchy_has_no_parents() -> None:
    world = SyntheticModel(SyntheticModelConfig(num_features=8, hidden_dim=4, seed=0))
    made = synthetic_factors(world, n=100)
    assert made.parents == {}
    assert made.n == 100


def test_the_oracle_saes_codes_are_the_true_features(dataset: FactorDataset) -> None:
    assert dataset.features is not None
    sae = oracle_sae(dataset)
    encoded = codes_of_prompts(sae, None, dataset, None)
    np.testing.assert_allclose(encoded.codes.toarray(), dataset.features.values, atol=1e-4)
    assert dataset.acts is not None
    decoded = sae.decode(torch.from_numpy(encoded.codes.toarray()))
    np.testing.assert_allclose(decoded.detach(), dataset.acts, atol=1e-4)


def test_prompts_have_no_oracle_sae() -> None:
    with pytest.raises(DataError, match="'tinyworld' has no true features"):
        oracle_sae(open_factors("tinyworld"))


def test_activations_of_another_width_than_the_saes_are_an_error(dataset: FactorDataset) -> None:
    sae = TopKSAE(TopKSAEConfig(d_in=32, d_sae=64, k=4))
    with pytest.raises(DataError, match="has activations of width 96; the SAE takes 32"):
        codes_of_prompts(sae, None, dataset, None)
