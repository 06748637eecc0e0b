"""The probing eval: planted directions, synthetic features, and what it cannot say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sae_lens import SAE, TopKSAE, TopKSAEConfig

from csae_bench.engines.factors.reporting import ONE_TEMPLATE
from csae_bench.engines.probing.effects import (
    NO_CONTROL,
    NO_LATENT,
    NO_MODEL,
    NO_READOUTS,
)
from csae_bench.evals import EvalResult, get_eval
from csae_bench.factors import FactorDataset, Pooling, open_factors
from csae_bench.factors.datasets.synthetic import oracle_sae
from csae_bench.factors.encoding import FactorCodes, codes_by_pooling, codes_of_prompts
from csae_bench.metrics.data import Codes
from csae_bench.results.envelope import not_finite
from csae_bench.saes import baselines
from tests.integration.evals.conftest import HOOK, MODEL, RunEvals
from tests.integration.evals.planted import part_of_tinyworld, planted_sae

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

NAME = "factor_probing"

# minutes; golden numbers and the contract of every eval are tested in between
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("probing")


@pytest.fixture(scope="module")
def part() -> FactorDataset:
    return part_of_tinyworld("test", 400)


@pytest.fixture(scope="module")
def of_planted(
    run_evals: RunEvals, model: HookedTransformer, part: FactorDataset, folder: Path
) -> EvalResult:
    return _on_part(run_evals, planted_sae(model, HOOK), model, part, folder / "planted")


@pytest.fixture(scope="module")
def of_oracle(run_evals: RunEvals, folder: Path) -> EvalResult:
    world = open_factors("synthetic_tree")
    return run_evals(oracle_sae(world), folder / "oracle", names=(NAME,), factors="synthetic_tree")[
        NAME
    ]


POOLED: tuple[Pooling, ...] = ("last", "mean", "max")


def _on_part(
    run_evals: RunEvals,
    sae: SAE[Any],
    model: HookedTransformer,
    part: FactorDataset,
    folder: Path,
    **settings: Any,
) -> EvalResult:
    codes = codes_by_pooling(sae, model, part, HOOK, poolings=POOLED)
    encoded = {_key(part, pooling): one for pooling, one in codes.items()}
    settings = {"n_prompts": 8, "factors": part.name} | settings
    return run_evals(sae, folder, model, names=(NAME,), encoded=encoded, **settings)[NAME]


def _key(dataset: FactorDataset, pooling: Pooling) -> tuple[Any, ...]:
    # the settings name no pooling, and then it is the dataset's own
    asked = None if pooling == dataset.pooling else pooling
    return (dataset.name, "test", 0, asked, MODEL, HOOK)


def _scores(result: EvalResult) -> Mapping[str, Any]:
    return result.metrics["scores"]


def _values(result: EvalResult) -> Iterator[dict[str, Any]]:
    return (value for detail in result.details for value in detail["values"])


def test_a_true_direction_moves_its_own_later_word(of_planted: EvalResult) -> None:
    scores = _scores(of_planted)
    # nats: the word becomes e^2 times as likely against the factor's other words, at least
    assert of_planted.metrics["intervals"]["clamp_effect_low"] > 2
    # what one direction of several that say the value takes away
    assert of_planted.metrics["intervals"]["ablation_effect_low"] > 1
    # a code clamped at every token is far from any text, and moves other words a little
    assert scores["clamp_specificity"] > 0.65
    assert scores["ablation_specificity"] > 0.8


def test_a_random_latent_moves_no_word(of_planted: EvalResult) -> None:
    scores = _scores(of_planted)
    assert scores["random_clamp_effect"] < scores["clamp_effect"] / 3
    assert abs(scores["random_ablation_effect"]) < scores["ablation_effect"] / 20
    assert (scores["random_clamp_specificity"] or 0) < 0.55


def test_a_control_knows_most_of_another_family(of_planted: EvalResult) -> None:
    domain, topic = range(13, 16), range(16, 25)
    controls = of_planted.unstructured["controls"]
    assert len(controls) == 25
    assert all(one["control"] != one["latent"] for one in controls)
    for one in controls:
        if one["factor"] in ("domain", "topic"):
            assert one["control"] not in (*domain, *topic)


def test_true_directions_are_the_best_latents_of_their_values(
    of_planted: EvalResult,
    run_evals: RunEvals,
    model: HookedTransformer,
    part: FactorDataset,
    folder: Path,
) -> None:
    assert [value["latent"] for value in _values(of_planted)] == list(range(25))
    # at the full stop the activations themselves hold gender and sentiment in part only
    at_stop = _scores(of_planted)
    assert at_stop["top_1_balanced_accuracy"] > at_stop["dense_balanced_accuracy"] - 0.03
    planted = planted_sae(model, HOOK, pooling="mean")
    of_mean = _on_part(run_evals, planted, model, part, folder / "mean", pooling="mean")
    assert [value["latent"] for value in _values(of_mean)] == list(range(25))
    assert _scores(of_mean)["top_1_balanced_accuracy"] > 0.98
    assert _scores(of_mean)["value_coverage"] > 0.9


def test_the_dense_probe_is_the_ceiling_of_random_directions(
    run_evals: RunEvals, model: HookedTransformer, part: FactorDataset, folder: Path
) -> None:
    reader = TopKSAE(TopKSAEConfig(d_in=128, d_sae=8, k=1))
    acts = codes_of_prompts(reader, model, part, HOOK, pooling="mean").acts
    assert acts is not None
    sae = baselines.random(torch.from_numpy(acts), 64, 16, seed=0)
    settings = {"n_prompts": 1, "pooling": "mean"}
    scores = _scores(_on_part(run_evals, sae, model, part, folder / "random", **settings))
    assert scores["dense_balanced_accuracy"] > 0.95
    for k in (1, 2, 5):
        assert scores[f"top_{k}_balanced_accuracy"] < scores["dense_balanced_accuracy"] - 0.05


def test_true_features_are_read_from_one_latent_and_absorb_nothing(of_oracle: EvalResult) -> None:
    scores = _scores(of_oracle)
    assert scores["top_1_auroc"] == pytest.approx(1, abs=1e-3)
    assert scores["value_coverage"] == pytest.approx(0.5, abs=0.02)  # no latent for silence
    assert scores["absorption"] == scores["absorption_excess"] == 0
    children = [child for detail in of_oracle.details for child in detail["absorbed"]]
    assert len(children) == 24
    assert {child["value"] for child in children} == {"active"}


def test_absorption_planted_in_an_oracle_sae_is_found_at_its_rate(
    run_evals: RunEvals, folder: Path
) -> None:
    world = open_factors("synthetic_tree")
    sae = oracle_sae(world)
    child, parent = next(iter(world.parents.items()))
    codes = codes_of_prompts(sae, None, world, None)
    dense = codes.codes.toarray()
    rows = np.flatnonzero(world.has_value(child, "active"))
    # few: a parent's latent that misses more is no longer the best of its value
    silenced = rows[::50]
    dense[silenced, world.names.index(parent)] = 0
    changed = FactorCodes(
        codes=Codes.of(dense).csr.astype(np.float32),
        dataset=world,
        pooling=codes.pooling,
        n_tokens=codes.n_tokens,
        n_truncated=0,
        acts=codes.acts,
    )
    encoded = {("synthetic_tree", "test", 0, None, "", ""): changed}
    result = run_evals(
        sae, folder / "absorbed", names=(NAME,), encoded=encoded, factors="synthetic_tree"
    )[NAME]
    (detail,) = (one for one in result.details if one["factor"] == child)
    (measured,) = detail["absorbed"]
    assert measured["rate"] == pytest.approx(len(silenced) / len(rows))
    assert measured["recall"] == pytest.approx(1 - measured["rate"])
    assert measured["expected"] < measured["rate"]


def test_activations_without_a_model_have_no_interventions(of_oracle: EvalResult) -> None:
    scores = _scores(of_oracle)
    for name in ("clamp_effect", "clamp_specificity", "random_ablation_effect"):
        assert scores[name] is None
        assert of_oracle.unstructured["reasons"][name] == NO_MODEL
    assert of_oracle.unstructured["forward_passes"] == {"interventions": 0, "top_prompts": 0}


@pytest.mark.parametrize("subject", ["of_planted", "of_oracle"])
def test_results_fit_the_evals_models_and_nulls_have_reasons(
    subject: str, request: pytest.FixtureRequest
) -> None:
    _check_form(request.getfixturevalue(subject))


def _check_form(result: EvalResult) -> None:
    spec = get_eval(NAME)
    assert spec.metrics_model is not None
    assert spec.detail_model is not None
    spec.metrics_model.model_validate(result.metrics)
    assert not not_finite({"m": result.metrics, "d": result.details, "u": result.unstructured})
    reasons = result.unstructured["reasons"]
    for category in result.metrics.values():
        assert all(reasons[field] for field, value in category.items() if value is None)
    for detail in result.details:
        spec.detail_model.model_validate(detail)
        assert all(detail["reasons"].values()), detail["factor"]
        for value in detail["values"]:
            for probe in value["probes"]:
                assert (probe["auroc"] is None) == bool(probe["reason"])
            for operation in value["operations"]:
                assert all(operation["reasons"].values())
        for child in detail["absorbed"]:
            assert (child["rate"] is None) == bool(child["reason"])


def test_the_page_has_every_value_and_the_tokens_of_top_prompts(
    of_planted: EvalResult, folder: Path
) -> None:
    assert of_planted.unstructured["artifacts"] == ["probing.html"]
    page = (folder / "planted" / NAME / "probing.html").read_text(encoding="utf-8")
    for value in _values(of_planted):
        assert value["value"] in page
    assert "Probing of sae" in page


def test_the_prompts_are_read_once_and_what_is_read_besides_is_counted(
    run_evals: RunEvals, model: HookedTransformer, tmp_path: Path
) -> None:
    sizes: list[int] = []
    handle = model.blocks[0].register_forward_hook(lambda _, __, out: sizes.append(len(out)))
    torch.manual_seed(0)
    sae = TopKSAE(TopKSAEConfig(d_in=128, d_sae=64, k=8))
    try:
        results = run_evals(sae, tmp_path, model, names=("mig", NAME), n_permutations=5)
    finally:
        handle.remove()
    besides = results[NAME].unstructured["forward_passes"]
    assert sum(sizes) == 2592 + besides["interventions"] + besides["top_prompts"]
    # at hand are 6 prompts for each of the 6 that a latent is set in; each is asked for 8 factors
    assert besides["interventions"] == 6 * 6 * 8
    assert 0 < besides["top_prompts"] <= 240


def test_the_same_seed_gives_the_same_result(
    run_evals: RunEvals, model: HookedTransformer, part: FactorDataset, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    sae = TopKSAE(TopKSAEConfig(d_in=128, d_sae=64, k=8))
    first, second = (
        _on_part(run_evals, sae, model, part, tmp_path / name, n_prompts=2) for name in "ab"
    )
    assert first.metrics == second.metrics
    assert first.details == second.details


def test_a_dead_sae_has_reasons_and_no_scores_but_chance(
    run_evals: RunEvals, tmp_path: Path
) -> None:
    world = open_factors("synthetic_tree")
    sae = oracle_sae(world)
    with torch.no_grad():
        sae.threshold.fill_(1e9)
    result = run_evals(sae, tmp_path, names=(NAME,), factors="synthetic_tree")[NAME]
    _check_form(result)
    scores = _scores(result)
    assert scores["top_1_auroc"] == 0.5
    assert scores["dense_auroc"] > 0.95
    for name in ("assigned_latents", "selectivity", "absorption", "clamp_effect"):
        assert scores[name] is None
    assert "no latent varies" in result.unstructured["reasons"]["assigned_latents"]


def _written(path: Path, template: str) -> Path:
    rows = [f"The {who} {verb} a {what}.,{who},{verb},"
            f"{template.format(who=who, verb=verb, what=what)}"
            for who in ("king", "queen") for verb in ("saw", "found") for what in
            ("comet", "racket", "violin", "satellite")]  # fmt: skip
    path.write_text("\n".join(["text,who,verb,template", *rows, ""]))
    return path


def test_a_users_file_without_later_words_has_no_interventions(
    run_evals: RunEvals, model: HookedTransformer, tmp_path: Path
) -> None:
    path = _written(tmp_path / "mine.csv", "{what}")
    torch.manual_seed(0)
    sae = TopKSAE(TopKSAEConfig(d_in=128, d_sae=64, k=8))
    result = run_evals(sae, tmp_path / "out", model, names=(NAME,), factors=str(path))[NAME]
    _check_form(result)
    assert result.unstructured["reasons"]["ablation_effect"] == NO_READOUTS
    assert _scores(result)["dense_auroc"] is not None


def test_one_template_has_no_held_out_probes(
    run_evals: RunEvals, model: HookedTransformer, tmp_path: Path
) -> None:
    path = _written(tmp_path / "mine.csv", "same")
    sae = TopKSAE(TopKSAEConfig(d_in=128, d_sae=64, k=8))
    result = run_evals(sae, tmp_path / "out", model, names=(NAME,), factors=str(path))[NAME]
    _check_form(result)
    for name in ("top_1_auroc", "dense_accuracy"):
        assert _scores(result)[name] is None
        assert result.unstructured["reasons"][name] == ONE_TEMPLATE


def test_where_no_latent_is_left_as_control_it_is_said_once_and_nothing_is_read(
    run_evals: RunEvals, model: HookedTransformer, part: FactorDataset, folder: Path
) -> None:
    torch.manual_seed(0)
    sae = TopKSAE(TopKSAEConfig(d_in=128, d_sae=4, k=2))
    result = _on_part(run_evals, sae, model, part, folder / "tiny", pooling="mean")
    _check_form(result)
    reasons = result.unstructured["reasons"]
    assert NO_CONTROL in reasons["clamp_effect"]
    assert set(reasons["clamp_effect"].split("; ")) <= {NO_CONTROL, NO_LATENT}
    # an interval is null for the reason that its score is
    for name in ("clamp_effect", "clamp_specificity", "random_ablation_effect"):
        assert reasons[f"{name}_low"] == reasons[f"{name}_high"] == reasons[name]
    assert result.unstructured["forward_passes"]["interventions"] == 0


def test_values_that_no_latent_knows_are_not_intervened_on(
    run_evals: RunEvals, model: HookedTransformer, part: FactorDataset, tmp_path: Path
) -> None:
    sae = TopKSAE(TopKSAEConfig(d_in=128, d_sae=16, k=2))
    order = np.random.default_rng(0).permutation(part.n)
    shuffled = {
        _key(part, pooling): replace(codes, codes=codes.codes[order], acts=None)
        for pooling, codes in codes_by_pooling(sae, model, part, HOOK, poolings=POOLED).items()
    }
    result = run_evals(sae, tmp_path, model, names=(NAME,), encoded=shuffled, factors="part")[NAME]
    _check_form(result)
    unknown = [value for value in _values(result) if value["latent"] is None]
    # each value has a chance of 5%
    assert len(unknown) > 15
    assert {one["operations"][0]["reasons"]["own"] for one in unknown} == {NO_LATENT}
    assert result.unstructured["reasons"]["dense_auroc"].startswith("the activations")
