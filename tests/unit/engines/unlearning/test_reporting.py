"""The fields of a result, from a sweep."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.engines.unlearning.data import FORGET, SUBJECTS
from csae_bench.engines.unlearning.fields import UnlearningDetail
from csae_bench.engines.unlearning.reporting import details, metrics, notes, warnings
from csae_bench.engines.unlearning.statistics import Chance, HeldOut
from csae_bench.engines.unlearning.sweep import Setting, Sweep
from csae_bench.evals import get_eval
from csae_bench.metrics.bootstrap import PercentileInterval

IDS = np.array([3, 7, 11])


def sweep(forget: list[bool], retain: list[bool], n_features: int = 2) -> Sweep:
    """One setting, three questions of each subject, of which all to retain are answered alike."""
    return Sweep(
        settings=(Setting(0.01, n_features, 25, tuple(range(n_features))),),
        questions=dict.fromkeys(SUBJECTS, IDS),
        rights={name: np.array([forget if name == FORGET else retain]) for name in SUBJECTS},
    )


def test_a_detail_names_the_rows_that_are_answered_wrong() -> None:
    (result,) = details(sweep([True, False, False], [True] * 3))
    UnlearningDetail.model_validate(result)
    assert result["wrong"][FORGET] == [7, 11]
    assert result["accuracy"][FORGET] == pytest.approx(1 / 3)
    assert result["retain_accuracy"] == 1
    assert result["is_admissible"]


def test_retain_questions_are_listed_subject_after_subject() -> None:
    result = sweep([True] * 3, [True] * 3)
    assert result.retained == list(SUBJECTS[1:])
    assert result.retain.shape == (1, 12)
    assert result.retain_subjects.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3


def test_each_undefined_metric_has_its_reason_and_no_other_has_one() -> None:
    result, reasons = metrics(
        0.5,
        HeldOut(score=None, retain_accuracy=None, reason="one question"),
        PercentileInterval(low=0.1, high=0.9),
        Chance(mean=None, highest=None, adjusted=None, p=None, reason="no draws"),
    )
    model = get_eval("unlearning").metrics_model
    assert model is not None
    model.model_validate(result)
    assert reasons == {
        "unlearning_score_held_out": "one question",
        "retain_accuracy_held_out": "one question",
        "unlearning_score_null_mean": "no draws",
        "unlearning_score_null_highest": "no draws",
        "unlearning_score_adjusted": "no draws",
        "unlearning_score_p": "no draws",
    }


def test_a_score_of_0_by_the_rule_is_explained() -> None:
    (said,) = notes(sweep([False] * 3, [True, True, False]))
    assert "No setting keeps 99% of the retain questions right" in said
    assert "keeps 66.7%" in said


def test_a_sweep_that_clamps_nothing_is_explained() -> None:
    (said,) = notes(sweep([True] * 3, [True] * 3, n_features=0))
    assert said.startswith("No latent was clamped")


def test_a_harmless_sweep_needs_no_note() -> None:
    assert notes(sweep([False] * 3, [True] * 3)) == []


def test_few_questions_of_a_subject_are_warned_of() -> None:
    (said,) = warnings(sweep([True] * 3, [True] * 3))
    assert f"({FORGET} 3, {SUBJECTS[1]} 3, " in said
