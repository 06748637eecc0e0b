"""csae_bench/comparison/outputs/explanation.py, and explained.py, which prints it."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest
from rich.console import Console

from csae_bench.comparison.metric_names import resolve
from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.outputs.explained import print_explanation, scale_words
from csae_bench.comparison.outputs.explanation import (
    EvalExplanation,
    MetricExplanation,
    explain,
    version_sentence,
)
from csae_bench.comparison.yardsticks import shipped
from csae_bench.evals import discover, get_eval
from csae_bench.evals.metric_values import compared


def _metric(name: str) -> MetricExplanation:
    told = explain(resolve(name))
    assert isinstance(told, MetricExplanation)
    return told


def _printed(name: str, columns: int = 80) -> str:
    console = Console(file=io.StringIO(), width=columns, emoji=False)
    print_explanation(explain(resolve(name)), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("eval_name", discover())
def test_every_eval_and_every_compared_metric_is_explained_as_strict_json(eval_name: str) -> None:
    spec = get_eval(eval_name)
    told = explain(spec)
    assert isinstance(told, EvalExplanation)
    assert {*spec.about} <= {*told.about}
    assert {f"{eval_name}.{name}" for name, value in compared(spec.metrics).items()
            if not value.suffix} == {metric.name for metric in told.metrics}  # fmt: skip
    json.dumps(dataclasses.asdict(told), allow_nan=False)


@pytest.mark.parametrize("eval_name", discover())
def test_a_score_is_judged_as_a_comparison_judges_it(eval_name: str) -> None:
    told = explain(get_eval(eval_name))
    assert isinstance(told, EvalExplanation)
    for metric in told.metrics:
        judged = lookup(metric.name)
        assert (metric.direction, metric.margin, metric.may_gate) == (
            judged.direction, judged.margin, judged.may_gate,
        )  # fmt: skip


def test_a_score_has_its_scale_its_company_and_its_place() -> None:
    told = _metric("mig.value_mig")
    assert scale_words(told) == "0 to 1, higher is better"
    assert {"mig.chance.value_mig_p", "mig.intervals.value_mig_low"} <= {
        beside.name for beside in told.accompanied_by
    }
    assert told.place == "eval_result_metrics.scores.value_mig"
    assert told.sources == ("https://arxiv.org/abs/1802.04942",)
    assert told.eval_about["When not to trust it"].startswith("Classic MIG is about 0")


def test_nulls_and_intervals_with_rows_of_their_own_accompany_their_score() -> None:
    beside = {beside.name for beside in _metric("unlearning.unlearning_score").accompanied_by}
    assert beside >= {f"unlearning.unlearning_score_{end}" for end in ("low", "high", "null_mean")}
    assert _metric("core.l0").accompanied_by == ()


def test_its_known_values_are_the_shipped_ones_with_what_they_depend_on() -> None:
    told = _metric("mig.value_mig")
    rows = [row for row in shipped().rows if "mig.value_mig" in row.values]
    assert [known.value for known in told.known_values] == [
        row.values["mig.value_mig"] for row in rows
    ]
    pca = next(known for known in told.known_values if known.label == "PCA")
    assert pca.model == "tiny-gemma2-it"
    assert pca.conditions["dataset"] == "tinyworld"
    assert "metric_definition.value_mig" in pca.conditions
    assert "metric_definition.mig" not in pca.conditions
    assert next(k for k in told.known_values if k.label == "every word").model is None


def test_sae_benchs_value_has_its_fault_and_the_corrected_one() -> None:
    told = _metric("core.explained_variance")
    assert told.corrected is not None
    assert told.corrected.name == "core.corrected.explained_variance"
    assert "depends on the scale" in told.corrected.fault
    back = _metric("core.corrected.explained_variance").sae_bench
    assert back is not None
    assert (back.name, back.fault) == ("core.explained_variance", told.corrected.fault)
    assert _metric("core.corrected.explained_variance").corrected is None


def test_a_faulty_value_of_sae_bench_has_a_corrected_twin() -> None:
    for name in discover():
        rows = get_eval(name).metrics
        for metric, row in rows.items():
            assert not row.fault or f"corrected.{metric}" in rows, f"{name}.{metric}"


def test_what_accompanies_a_score_is_explained_without_the_scores_own_words() -> None:
    told = _metric("mig.chance.value_mig_p")
    assert "permutations that reach the value" in told.description
    assert (told.gist, told.may_gate, told.accompanied_by) == ("", False, ())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("core.l2_ratio", "0 or more, best at 1"),
        ("core.l0", "0 or more, in latents, describes: neither way is better"),
        ("core.explained_variance", "at most 1, higher is better"),
        ("core.ce_loss_score", "no bounds, higher is better"),
    ],
)
def test_a_scale_is_said_in_words(name: str, words: str) -> None:
    assert scale_words(_metric(name)) == words


def test_versions_are_named_where_they_matter() -> None:
    assert version_sentence(_metric("mig.value_mig")) == ""
    assert "one version" in version_sentence(_metric("absorption.mean_absorption_score"))


@pytest.mark.parametrize("columns", [40, 60, 80, 160])
@pytest.mark.parametrize("name", ["mig.value_mig", "core.mse", "core", "ce_bench"])
def test_it_fits_the_terminal(name: str, columns: int) -> None:
    text = _printed(name, columns)
    assert max(map(len, text.splitlines())) <= columns
    assert "when not to trust it" in text


def test_text_says_range_gate_fault_and_known_values() -> None:
    text = _words(_printed("core.corrected.explained_variance"))
    for said in (
        "at most 1, higher is better",
        "May fail a gate; differences up to 0.01 count as equivalent.",
        "SAE-Bench's fault It takes the square",
        "tinyworld, tiny-gemma2-it: PCA",
        "eval_result_unstructured.corrected.explained_variance",
    ):
        assert said in text


def test_an_evals_text_marks_what_a_run_shows() -> None:
    text = _words(_printed("mig"))
    assert "mig.value_mig *: Value MIG; 0 to 1, higher is better; may gate" in text
    assert "More of one score: csae-bench explain mig.value_mig" in text
