"""MIG, FactorVAE and feature correlation as evals: their form, their data, their controls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from sae_lens import SAE, TopKSAE, TopKSAEConfig
from sae_lens.synthetic import SyntheticModel, SyntheticModelConfig

from csae_bench.evals import EvalResult, get_eval
from csae_bench.factors import FactorDataset
from csae_bench.factors.datasets.synthetic import oracle_sae, synthetic_factors
from csae_bench.results.envelope import not_finite
from csae_bench.saes import baselines
from tests.integration.evals.conftest import NAMES, RunEvals

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


def _saved_world(folder: Path) -> FactorDataset:
    """16 features that fire by themselves in 24 dimensions; saved, for the evals to open."""
    from sae_lens.synthetic import LinearFiringProbabilityConfig

    world = SyntheticModel(
        SyntheticModelConfig(
            num_features=16,
            hidden_dim=24,
            firing_probability=LinearFiringProbabilityConfig(max_prob=0.4, min_prob=0.1),
            std_firing_magnitudes=0.2,
            seed=0,
        )
    )
    world.save(folder)
    return synthetic_factors(world, name=str(folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world")


@pytest.fixture(scope="module")
def world(folder: Path) -> FactorDataset:
    return _saved_world(folder / "world")


@pytest.fixture(scope="module")
def of_oracle(run_evals: RunEvals, world: FactorDataset, folder: Path) -> dict[str, EvalResult]:
    return run_evals(oracle_sae(world), folder / "oracle", factors=world.name)


@pytest.fixture(scope="module")
def random_sae(world: FactorDataset) -> SAE[Any]:
    assert world.acts is not None
    return baselines.random(torch.from_numpy(world.acts), 64, 8, seed=0)


@pytest.fixture(scope="module")
def of_random(
    run_evals: RunEvals, random_sae: SAE[Any], world: FactorDataset, folder: Path
) -> dict[str, EvalResult]:
    return run_evals(random_sae, folder / "random", factors=world.name)


@pytest.fixture(scope="module")
def of_prompts(
    run_evals: RunEvals, model: HookedTransformer, folder: Path
) -> dict[str, EvalResult]:
    torch.manual_seed(0)
    sae = TopKSAE(TopKSAEConfig(d_in=128, d_sae=64, k=8))
    return run_evals(sae, folder / "prompts", model)


def _flat(results: Mapping[str, EvalResult]) -> dict[str, float | None]:
    return {
        name: value
        for result in results.values()
        for category in result.metrics.values()
        for name, value in category.items()
    }


def test_the_oracle_sae_scores_at_the_top(of_oracle: dict[str, EvalResult]) -> None:
    scores = _flat(of_oracle)
    top = ("mig", "value_mig", "mig_sup", "factor_vae_population")
    # chance correlations between features that fire independently, in 4096 samples
    assert {name: scores[name] for name in top} == pytest.approx(dict.fromkeys(top, 1), abs=0.01)
    # a batch of 64 in which a rare feature happens to vary little takes a vote now and then
    assert scores["factor_vae"] == pytest.approx(1, abs=0.03)
    assert scores["mean_correlation_coefficient"] == pytest.approx(1, abs=1e-4)
    assert scores["explicitness"] == pytest.approx(1, abs=1e-3)
    # latents seem to know a little of all factors: information is not corrected for chance
    assert scores["dci_disentanglement"] == pytest.approx(1, abs=0.05)
    assert scores["near_duplicates"] == 0


def test_a_frozen_random_decoder_is_below_the_oracle_sae_in_every_score(
    of_oracle: dict[str, EvalResult], of_random: dict[str, EvalResult]
) -> None:
    # but for factor_vae_population: every feature finds some direction of its own among 64
    top, scores = _flat(of_oracle), _flat(of_random)
    for name in ("mig", "value_mig", "mig_sup", "factor_vae",
                 "best_correlation", "dci_disentanglement", "dci_completeness", "modularity",
                 "sap", "mean_correlation_coefficient"):  # fmt: skip
        assert scores[name] < top[name] - 0.05, name  # pyright: ignore[reportOptionalOperand]


@pytest.mark.parametrize("subject", ["oracle", "random"])
def test_with_shuffled_factors_every_sae_is_inside_its_null(
    run_evals: RunEvals, random_sae: SAE[Any], world: FactorDataset, folder: Path, subject: str
) -> None:
    sae = oracle_sae(world) if subject == "oracle" else random_sae
    results = run_evals(sae, folder / f"null of {subject}", factors=world.name, shuffled=True)
    scores = _flat(results)
    for name in ("mig", "value_mig", "mig_sup", "factor_vae", "best_correlation",
                 "dci_disentanglement", "sap"):  # fmt: skip
        assert scores[f"{name}_p"] > 0.05, name  # pyright: ignore[reportOptionalOperand]
        assert abs(scores[f"{name}_adjusted"]) < 0.02, name  # pyright: ignore[reportArgumentType]
    # each of 16 votes has one chance in twenty to exceed the null's 95% quantile
    assert scores["factor_vae_population"] <= 0.13  # pyright: ignore[reportOptionalOperand]
    assert scores["mean_correlation_coefficient"] < 0.1  # pyright: ignore[reportOptionalOperand]
    for result in results.values():
        assert result.unstructured["data"]["is_shuffled"]
        assert any("a control" in text for text in result.unstructured["warnings"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("subject", ["of_oracle", "of_random", "of_prompts"])
def test_results_fit_the_evals_models_and_nulls_have_reasons(
    name: str, subject: str, request: pytest.FixtureRequest
) -> None:
    result: EvalResult = request.getfixturevalue(subject)[name]
    spec = get_eval(name)
    assert spec.metrics_model is not None
    assert spec.detail_model is not None
    spec.metrics_model.model_validate(result.metrics)
    assert not not_finite({"m": result.metrics, "d": result.details, "u": result.unstructured})
    reasons = result.unstructured["reasons"]
    for category in result.metrics.values():
        assert all(reasons[field] for field, value in category.items() if value is None)
    assert len(result.details) == result.unstructured["data"]["n_factors"]
    for detail in result.details:
        spec.detail_model.model_validate(detail)
        assert all(detail["reasons"].values())


@pytest.mark.parametrize("name", NAMES)
def test_each_eval_leaves_a_picture_and_a_page(name: str, of_prompts: Any, folder: Path) -> None:
    assert of_prompts[name].unstructured["artifacts"] == ["heat_map.png", "heat_map.html"]
    artifacts = folder / "prompts" / name
    assert (artifacts / "heat_map.png").read_bytes().startswith(b"\x89PNG")
    page = (artifacts / "heat_map.html").read_text(encoding="utf-8")
    assert page.count("<h2 id=") == page.count("<a href=")
    assert "<li>" in page


def test_a_factor_that_another_divides_is_warned_that_its_vote_cannot_be_accepted(
    of_prompts: dict[str, EvalResult],
) -> None:
    (domain,) = (d for d in of_prompts["factor_vae"].details if d["factor"] == "domain")
    assert domain["factor_vae_population"] == 0
    assert "factor 'topic' divides its values" in domain["why_not"]
    assert any("'domain' can never stand" in note for note in
               of_prompts["factor_vae"].unstructured["notes"])  # fmt: skip


def test_the_three_evals_share_one_pass_over_the_prompts_of_tinyworld(
    run_evals: RunEvals, model: HookedTransformer, tmp_path: Path
) -> None:
    sizes: list[int] = []
    handle = model.blocks[0].register_forward_hook(lambda _, __, out: sizes.append(len(out)))
    try:
        results = run_evals(TopKSAE(TopKSAEConfig(d_in=128, d_sae=16, k=4)), tmp_path, model)
    finally:
        handle.remove()
    assert sum(sizes) == results["mig"].unstructured["data"]["n"] == 2592


def test_a_dead_sae_has_reasons_and_no_scores(
    run_evals: RunEvals, world: FactorDataset, tmp_path: Path
) -> None:
    sae = oracle_sae(world)
    with torch.no_grad():
        sae.threshold.fill_(1e9)
    results = run_evals(sae, tmp_path, factors=world.name)
    for name, result in results.items():
        assert set(result.metrics["scores"].values()) == {None}, name
        assert "no latent varies" in " ".join(result.unstructured["reasons"].values())
        assert all(result.unstructured["reasons"].values())
        assert result.unstructured["artifacts"] == []


def test_a_users_file_is_scored_like_any_dataset(
    run_evals: RunEvals, model: HookedTransformer, tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"The {who} {verb} a {what}.,{who},{verb}\n"
            for who in ("king", "queen") for verb in ("saw", "found") for what in
            ("comet", "racket", "violin", "satellite")]  # fmt: skip
    path.write_text("text,who,verb\n" + "".join(rows))
    torch.manual_seed(0)
    sae = TopKSAE(TopKSAEConfig(d_in=128, d_sae=64, k=8))
    results = run_evals(sae, tmp_path / "out", model, factors=str(path))
    for name, result in results.items():
        assert [detail["factor"] for detail in result.details] == ["who", "verb"], name
        assert any("16 samples are few" in text for text in result.unstructured["warnings"])
