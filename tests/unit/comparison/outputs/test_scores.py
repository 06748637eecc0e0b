"""csae_bench/comparison/outputs/scores.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from csae_bench.comparison.model import Family, Reading
from csae_bench.comparison.outputs import scores
from csae_bench.comparison.outputs.scores import (
    ScaleMark,
    ShownScore,
    how_to_read,
    number,
    scores_of,
)
from csae_bench.comparison.yardsticks import Yardstick

MIG = Reading(
    path=Path("mig_eval_results.json"),
    eval_name="mig",
    family=Family("tiny-gemma2-it_layer_2_sae", "custom_sae"),
    sae_id="custom_sae",
    seed=0,
    values={
        "mig.mig": 0.05,
        "mig.value_mig": 0.342,
        "mig.parts.value_mig_best_latent": 0.61,
        "mig.parts.value_mig_nearest_double": 0.268,
        "mig.mig_sup": None,
        "mig.chance.value_mig_null_mean": 0.001,
        "mig.chance.value_mig_adjusted": 0.341,
        "mig.intervals.value_mig_low": 0.31,
        "mig.intervals.value_mig_high": 0.371,
        "mig.held_out.value_mig_held_out": 0.33,
    },
    reasons={"mig.mig_sup": "no latent varies over the samples"},
)


@pytest.fixture
def value_mig(monkeypatch: pytest.MonkeyPatch) -> ShownScore:
    known = [Yardstick("every word", 0.154), Yardstick("PCA", 0.05)]
    monkeypatch.setattr(scores, "yardsticks_of", lambda reading, metric: known)
    return scores_of(MIG)[0]


def test_a_score_is_read_by_its_scale_its_parts_and_its_yardsticks(value_mig: ShownScore) -> None:
    assert how_to_read(value_mig) == (
        "best latent's lead, by value; 0 to 1, higher is better: best latent 0.610, its nearest "
        "double 0.268; every word 0.154, PCA 0.050, shuffled factors 0.001"
    )


def test_a_score_has_its_interval_its_bounds_and_its_held_out_value(value_mig: ShownScore) -> None:
    assert value_mig.interval == (0.31, 0.371)
    assert value_mig.bounds == (0, 1)
    assert value_mig.held_out == 0.33
    assert value_mig.has_shipped_yardsticks


def test_the_score_that_says_most_comes_first_and_what_accompanies_it_is_no_score() -> None:
    assert [score.metric for score in scores_of(MIG)] == [
        "mig.value_mig", "mig.mig", "mig.mig_sup",
    ]  # fmt: skip


def test_shuffled_factors_are_no_shipped_yardstick() -> None:
    first = scores_of(MIG)[0]
    assert first.yardsticks == (ScaleMark("shuffled factors", 0.001),)
    assert not first.has_shipped_yardsticks


def test_an_undefined_score_says_why() -> None:
    last = scores_of(MIG)[-1]
    assert scores.value_text(last) == "undefined"
    assert how_to_read(last).startswith("no latent varies over the samples; ")


def test_parts_of_a_score_are_not_scores_themselves() -> None:
    probing = replace(
        MIG,
        eval_name="factor_probing",
        values={
            "factor_probing.top_1_balanced_accuracy": 0.75,
            "factor_probing.dense_balanced_accuracy": 0.91,
            "factor_probing.clamp_effect": 0.002,
            "factor_probing.random_clamp_effect": -0.001,
        },
    )
    assert {score.metric: score.parts for score in scores_of(probing)} == {
        "factor_probing.top_1_balanced_accuracy": (ScaleMark("from all activations", 0.91),),
        "factor_probing.clamp_effect": (ScaleMark("random latents clamped", -0.001),),
    }


def test_an_eval_that_is_not_known_has_its_main_metrics() -> None:
    ravel = replace(
        MIG,
        eval_name="another_ravel",
        values={"ravel.disentanglement_score": 0.1, "x.odd": 3.0},
    )
    first = scores_of(ravel)
    assert first[0].title == "RAVEL disentanglement"
    assert how_to_read(first[0]) == "higher is better"


def test_a_published_result_without_the_corrected_values_has_its_main_metrics() -> None:
    name = "absorption_first_letter.mean_absorption_fraction_score"
    (score,) = scores_of(replace(MIG, eval_name="absorption_first_letter", values={name: 0.1}))
    assert score.metric == name
    assert score.value == 0.1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.3421, "0.342"),
        (-0.0001, "0.000"),
        (-0.25, "-0.250"),
        (9.9994, "9.999"),
        (18.14, "18.1"),
        (142.35, "142.3"),
        (12345.6, "12,346"),
    ],
)
def test_numbers_have_the_same_decimals_everywhere(value: float, text: str) -> None:
    assert number(value) == text
