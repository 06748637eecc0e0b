"""Scores and answers are those of SAE-Bench's unmodified functions, question by question."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sae_bench.evals.unlearning import main as reference_main
from sae_bench.evals.unlearning.eval_config import UnlearningEvalConfig
from sae_bench.evals.unlearning.utils.eval import run_eval_single_sae
from sae_lens import SAE
from transformer_lens import HookedTransformer

from csae_bench.engines.unlearning.data import FORGET, MIN_CHARACTERS, SUBJECTS, UnlearningData
from csae_bench.engines.unlearning.statistics import (
    RETAIN_ACCURACY,
    against_chance,
    unlearning_score,
)
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.unlearning import UnlearningOutcome, UnlearningSettings, run_unlearning
from csae_bench.upstream.unlearning_isolation import sae_bench_sees
from tests.integration.engines.unlearning.conftest import HOOK, NAME, MakeSettings


@dataclass
class Reference:
    """What SAE-Bench's own functions left."""

    score: float
    rights: dict[tuple[float, int, int], dict[str, Any]]
    """Threshold, number of latents and multiplier -> answers by subject."""
    folder: Path


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SAE-Bench's folder: the SAEs share its question ids, as there."""
    return tmp_path_factory.mktemp("artifacts")


def reference(
    name: str,
    sae: SAE[Any],
    model: HookedTransformer,
    data: UnlearningData,
    settings: UnlearningSettings,
    artifacts: Path,
) -> Reference:
    config = UnlearningEvalConfig(
        random_seed=settings.random_seed,
        retain_thresholds=list(settings.retain_thresholds),
        n_features_list=list(settings.n_features_list),
        multipliers=list(settings.multipliers),
        dataset_size=settings.dataset_size,
        seq_len=settings.seq_len,
        model_name=NAME,
        llm_batch_size=settings.batch_size,
        llm_dtype="float32",
    )
    with sae_bench_sees(model, data, seed=settings.random_seed):
        own = formatted_copy(sae, model, NAME, HOOK)
        run_eval_single_sae(model, own, config, str(artifacts), name, False)
        folder = artifacts / name / "results/metrics"
        score = reference_main.get_unlearning_scores(reference_main.get_metrics_df(str(folder)))
    rights: dict[tuple[float, int, int], dict[str, Any]] = {}
    for path in folder.glob("*.pkl"):
        parts = reference_main.get_params(path.name)
        assert parts is not None
        place = float(parts[3]), int(parts[1]), int(parts[0])
        rights[place] = pickle.loads(path.read_bytes())
    return Reference(float(score), rights, artifacts)


@pytest.fixture(scope="module")
def settings(make_settings: MakeSettings) -> UnlearningSettings:
    return make_settings()


@pytest.fixture(scope="module")
def loose_settings(make_settings: MakeSettings) -> UnlearningSettings:
    """Random latents fire everywhere: with these thresholds some are clamped all the same."""
    return make_settings(retain_thresholds=(0.1, 0.5))


@pytest.fixture(scope="module")
def knowing(
    knowing_sae: SAE[Any],
    model: HookedTransformer,
    data: UnlearningData,
    settings: UnlearningSettings,
) -> UnlearningOutcome:
    return run_unlearning(knowing_sae, model, data, settings)


@pytest.fixture(scope="module")
def unknowing(
    random_sae: SAE[Any],
    model: HookedTransformer,
    data: UnlearningData,
    loose_settings: UnlearningSettings,
) -> UnlearningOutcome:
    return run_unlearning(random_sae, model, data, loose_settings)


@pytest.fixture(scope="module")
def reference_knowing(
    knowing_sae: SAE[Any],
    model: HookedTransformer,
    data: UnlearningData,
    settings: UnlearningSettings,
    artifacts: Path,
) -> Reference:
    return reference("knowing", knowing_sae, model, data, settings, artifacts)


def assert_equal(ours: UnlearningOutcome, theirs: Reference) -> None:
    assert ours.unlearning_score == theirs.score
    assert {setting[:3] for setting in ours.sweep.settings} == set(theirs.rights)
    for i, setting in enumerate(ours.sweep.settings):
        answers = theirs.rights[setting[:3]]
        clamped = [int(latent) for latent in answers["ablate_params"]["features_to_ablate"]]
        assert list(setting.latents) == clamped
        for name in SUBJECTS:
            np.testing.assert_array_equal(
                ours.sweep.rights[name][i], answers[name]["is_correct"] > 0, err_msg=f"{setting}"
            )


def test_score_and_every_answer_are_those_of_the_unmodified_functions(
    knowing: UnlearningOutcome, reference_knowing: Reference
) -> None:
    assert_equal(knowing, reference_knowing)


def test_score_and_every_answer_of_a_random_sae_are_those_of_the_unmodified_functions(
    unknowing: UnlearningOutcome,
    random_sae: SAE[Any],
    model: HookedTransformer,
    data: UnlearningData,
    loose_settings: UnlearningSettings,
    artifacts: Path,
    reference_knowing: Reference,  # has found the questions that both SAEs are asked
) -> None:
    theirs = reference("random", random_sae, model, data, loose_settings, artifacts)
    assert_equal(unknowing, theirs)
    assert not unknowing.sweep.forget.all()


def test_questions_are_those_that_sae_bench_finds(
    knowing: UnlearningOutcome, reference_knowing: Reference
) -> None:
    folder = reference_knowing.folder / "data/question_ids/all"
    for name in SUBJECTS:
        file = name if name == FORGET else f"mmlu-{name.replace('_', '-')}"
        theirs = np.loadtxt(folder / f"{file}_correct.csv", dtype=int, ndmin=1)
        np.testing.assert_array_equal(knowing.sweep.questions[name], theirs)


def test_an_sae_whose_latents_know_the_facts_to_forget_scores_and_random_latents_do_not(
    knowing: UnlearningOutcome,
) -> None:
    chance = against_chance(
        knowing.unlearning_score,
        [(drawn.forget, drawn.retain) for drawn in knowing.controls],
        knowing.control_reason,
    )
    # All but two of eight questions at least; random latents spoil the retain questions too.
    assert knowing.unlearning_score >= 0.75
    assert len(knowing.controls) == 2
    assert chance.highest is not None
    assert chance.highest <= 0.25
    assert knowing.sweep.retain.mean(1).min() >= RETAIN_ACCURACY


def test_a_random_sae_unlearns_nothing(unknowing: UnlearningOutcome) -> None:
    assert max(setting.n_features for setting in unknowing.sweep.settings) > 0
    assert unknowing.unlearning_score <= 0.25


def test_the_score_is_that_of_our_own_rule(
    knowing: UnlearningOutcome, unknowing: UnlearningOutcome
) -> None:
    for outcome in (knowing, unknowing):
        ours = unlearning_score(outcome.sweep.forget, outcome.sweep.retain)
        # SAE-Bench's accuracies are float32
        assert outcome.unlearning_score == pytest.approx(ours, abs=1e-6)


def test_our_rule_is_sae_benchs_on_any_answers() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        forget = rng.random((8, 100)) < rng.random((8, 1))
        retain = rng.random((8, 100)) < 0.995
        template = pd.DataFrame(
            {"wmdp-bio": forget.mean(1), "all_side_effects_mcq": retain.mean(1)}
        )
        # one minus the minimum there, the maximum of one minus here
        assert unlearning_score(forget, retain) == pytest.approx(
            reference_main.get_unlearning_scores(template), abs=1e-12
        )


def test_the_result_has_the_models_true_name(knowing: UnlearningOutcome) -> None:
    assert knowing.eval_config["model_name"] == NAME


def test_the_answers_do_not_depend_on_the_batch(
    knowing: UnlearningOutcome,
    knowing_sae: SAE[Any],
    model: HookedTransformer,
    data: UnlearningData,
    make_settings: MakeSettings,
) -> None:
    # the texts are read in other batches too, to the same shares
    other = run_unlearning(knowing_sae, model, data, make_settings(batch_size=3, n_control=0))
    assert other.sweep.settings == knowing.sweep.settings
    for name in SUBJECTS:
        np.testing.assert_array_equal(other.sweep.rights[name], knowing.sweep.rights[name])
    assert other.control_reason == "n_control is 0"


def test_names_and_limits_are_sae_benchs() -> None:
    from inspect import signature

    from sae_bench.evals.unlearning.utils.feature_activation import get_forget_retain_data

    assert list(SUBJECTS) == UnlearningEvalConfig().dataset_names
    assert signature(get_forget_retain_data).parameters["min_len"].default == MIN_CHARACTERS


def test_the_sae_is_not_changed(knowing: UnlearningOutcome, knowing_sae: SAE[Any]) -> None:
    assert knowing_sae.cfg.metadata.model_name == NAME
    assert not hasattr(knowing_sae.cfg, "hook_layer")
    assert knowing_sae.W_dec.dtype == torch.float32
