"""SynthSAEBench's table: SAELens's own numbers, and known answers on worlds that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sae_lens import SAE, TopKSAE, TopKSAEConfig
from sae_lens.synthetic import SyntheticModel, eval_sae_on_synthetic_data
from torch import Tensor, nn

from csae_bench.errors import DataError
from csae_bench.evals import EvalContext, EvalResult, get_eval
from csae_bench.factors import open_factors
from csae_bench.factors.datasets.synthetic import N_FEATURES, oracle_sae, synthetic_world
from csae_bench.upstream.synth_sae_bench import SynthSettings, run_synth_sae_bench

D_IN = 96


class Bare(nn.Module):
    """An SAE of another library."""

    def __init__(self, sae: SAE[Any]) -> None:
        super().__init__()
        self.W_dec, self._sae = nn.Parameter(sae.W_dec.detach()), [sae]

    def encode(self, x: Tensor) -> Tensor:
        return self._sae[0].encode(x)

    def decode(self, feature_acts: Tensor) -> Tensor:
        return self._sae[0].decode(feature_acts)


def random_sae(d_sae: int = 128) -> SAE[Any]:
    torch.manual_seed(3)
    return TopKSAE(TopKSAEConfig(d_in=D_IN, d_sae=d_sae, k=8))


def oracle() -> SAE[Any]:
    return oracle_sae(open_factors("synthetic"))


def scores(sae: Any, world: SyntheticModel | None = None, **changes: Any) -> dict[str, Any]:
    settings = {
        "world": "synthetic",
        "num_samples": 3000,
        "batch_size": 1000,
        "random_seed": 42,
        "n_control": 2,
        "device": "cpu",
    }
    outcome = run_synth_sae_bench(
        sae, world or synthetic_world(), SynthSettings(**(settings | changes))
    )
    return {**outcome.scores, **outcome.random}


def run(sae: SAE[Any], folder: Path, **settings: Any) -> EvalResult:
    spec = get_eval("synth_sae_bench")
    context = EvalContext(
        sae=sae,
        sae_id="sae",
        model_name="",
        hook_name="",
        device="cpu",
        artifacts=folder,
        rng=np.random.default_rng(0),
        load_model=lambda _: pytest.fail("no model is needed"),
    )
    return spec.run(context, spec.config.model_validate({"num_samples": 1000} | settings))


@pytest.mark.parametrize("has_children", [False, True])
def test_values_are_those_of_saelens(has_children: bool) -> None:
    sae, world = random_sae(), synthetic_world(has_children=has_children)
    torch.manual_seed(42)
    theirs = eval_sae_on_synthetic_data(
        sae, world.feature_dict, world.activation_generator, num_samples=3000, batch_size=1000
    ).to_log_dict()
    ours = scores(sae, synthetic_world(has_children=has_children))
    assert {name.rpartition("/")[2]: value for name, value in theirs.items()} == {
        name: value for name, value in ours.items() if "null" not in name
    }


def test_the_true_features_have_the_best_of_everything() -> None:
    values = scores(oracle())
    assert values["mcc"] == pytest.approx(1)
    assert values["mcc"] <= 1
    assert values["uniqueness"] == 1
    assert values["f1_score"] > 0.999  # but for magnitudes below the threshold
    assert values["shrinkage"] == pytest.approx(1, abs=0.01)
    assert values["explained_variance"] > 0.999
    assert values["dead_latents"] == 0
    assert values["sae_l0"] == pytest.approx(values["true_l0"], rel=0.01)


def test_random_directions_have_what_random_directions_have() -> None:
    values = scores(random_sae())
    assert values["mcc"] == pytest.approx(values["mcc_null_mean"], abs=0.03)
    assert values["uniqueness"] == pytest.approx(values["uniqueness_null_mean"], abs=0.06)
    assert 0.15 < values["mcc_null_mean"] < 0.5  # far from 0: the best of many
    assert values["f1_score"] < 0.5


def test_two_latents_for_each_feature_are_half_unique() -> None:
    plain = oracle()
    twice = oracle_sae(open_factors("synthetic"))
    doubled = type(twice)(type(twice.cfg)(d_in=D_IN, d_sae=2 * N_FEATURES))
    weights = plain.state_dict()
    axis = {"W_enc": 1, "W_dec": 0, "b_enc": 0, "threshold": 0}
    doubled.load_state_dict(
        {
            name: torch.cat([value, value], dim=axis[name]) if name in axis else value
            for name, value in weights.items()
        }
    )
    values = scores(doubled)
    assert values["uniqueness"] == 0.5
    assert values["mcc"] == pytest.approx(1)


def test_half_the_magnitude_is_shrinkage_of_a_half() -> None:
    half = oracle()
    half.W_dec.data *= 0.5
    half.b_dec.data *= 0
    half.cfg.apply_b_dec_to_input = False
    whole = oracle()
    whole.b_dec.data *= 0
    whole.cfg.apply_b_dec_to_input = False
    assert scores(half)["shrinkage"] == pytest.approx(scores(whole)["shrinkage"] / 2, rel=1e-5)
    assert scores(half)["mcc"] == pytest.approx(scores(whole)["mcc"])


def test_dead_latents_are_counted_and_lower_f1() -> None:
    dead = oracle()
    dead.threshold.data[:16] = 1e6
    values = scores(dead)
    assert values["dead_latents"] == 16
    assert values["f1_score"] == pytest.approx(scores(oracle())["f1_score"] * 0.75, abs=0.01)


def test_another_libraries_sae_and_one_in_bfloat16_have_values_too() -> None:
    sae = oracle()
    assert scores(Bare(sae)) == scores(sae)
    world, low = synthetic_world(), oracle().to(torch.bfloat16)
    with pytest.raises(RuntimeError):  # where nothing is raised, SAELens has mended it
        eval_sae_on_synthetic_data(low, world.feature_dict, world.activation_generator, 10)
    rounded = scores(oracle().to(torch.bfloat16))
    assert rounded["mcc"] == pytest.approx(1, abs=1e-3)


def test_the_sae_and_the_generator_are_left_as_they_were() -> None:
    sae = random_sae().train()
    state = torch.get_rng_state()
    scores(sae)
    assert sae.training
    assert torch.equal(state, torch.get_rng_state())
    assert scores(sae) == scores(sae) != scores(sae, random_seed=1)


def test_a_saved_world_is_that_of_its_name(tmp_path: Path) -> None:
    synthetic_world(5).save(tmp_path / "world")
    sae = random_sae()
    saved = run(sae, tmp_path, factors=str(tmp_path / "world"))
    named = run(sae, tmp_path, factors="synthetic", world_seed=5)
    other = run(sae, tmp_path)
    assert saved.metrics["scores"] == named.metrics["scores"] != other.metrics["scores"]
    assert saved.unstructured["data"]["n_features"] == N_FEATURES


def test_without_a_control_its_values_are_null_with_the_reason(tmp_path: Path) -> None:
    result = run(random_sae(), tmp_path, n_control=0)
    assert result.metrics["chance"] == {"mcc_null_mean": None, "uniqueness_null_mean": None}
    assert set(result.unstructured["reasons"].values()) == {"evals.synth_sae_bench.n_control is 0"}


def test_activations_of_another_width_are_refused() -> None:
    torch.manual_seed(0)
    sae = TopKSAE(TopKSAEConfig(d_in=32, d_sae=64, k=4))
    with pytest.raises(DataError, match="has activations of width 96; the SAE takes 32"):
        scores(sae)


def test_an_sae_of_a_language_model_is_skipped_unless_its_world_is_named(tmp_path: Path) -> None:
    config = get_eval("synth_sae_bench").config
    skipped = config().needs("tiny-gemma2-it")
    assert skipped.skip is not None
    assert "true features are not known" in skipped.skip
    assert config().needs(None).skip is None
    named = config.model_validate({"factors": "synthetic_tree"}).needs("tiny-gemma2-it")
    assert (named.skip, named.model, named.problems) == (None, False, ())


@pytest.mark.parametrize("factors", ["english", "./nowhere"])
def test_what_is_no_synthetic_model_is_a_problem(factors: str) -> None:
    needs = get_eval("synth_sae_bench").config.model_validate({"factors": factors}).needs(None)
    (problem,) = needs.problems
    assert f"factors is '{factors}'; it must be synthetic, synthetic_tree or a folder" in problem


def test_a_folder_without_a_synthetic_model_is_a_problem(tmp_path: Path) -> None:
    config = get_eval("synth_sae_bench").config.model_validate({"factors": str(tmp_path)})
    ((outcome, message),) = config.needs(None).inputs[0].status()
    assert outcome == "problem"
    assert "synthetic_model_config.json" in message
