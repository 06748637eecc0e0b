"""csae_bench/comparison/reading/values.py."""

from __future__ import annotations

import math
from typing import Any

import pytest

from csae_bench.comparison.reading.values import NEVER_MINUS_ONE, WITNESSES, values_of
from tests.unit.comparison.result_files import (
    ORIGINAL_RUN_0,
    OUR_CORE,
    OUR_MIG,
    live_core,
    loaded,
    published,
)

NAN = math.nan


def core_values(**changes: Any) -> tuple[dict[str, float | None], dict[str, str]]:
    return values_of(published("core", live_core(**changes)), "core")


def test_a_metric_goes_by_eval_and_name_where_its_name_is_unique() -> None:
    values, _ = core_values()
    assert values["core.ce_loss_score"] == 0.97


def test_a_name_that_two_categories_have_keeps_its_category() -> None:
    result = published("sparse_probing", {"llm": {"accuracy": 0.9}, "sae": {"accuracy": 0.8}})
    values, _ = values_of(result, "sparse_probing")
    assert values == {"sparse_probing.llm.accuracy": 0.9, "sparse_probing.sae.accuracy": 0.8}


def test_of_our_evals_the_scores_go_without_their_category_and_nothing_else() -> None:
    result = loaded(OUR_MIG)
    values, _ = values_of(result, "mig")
    metrics = result["eval_result_metrics"]
    assert values["mig.value_mig"] == metrics["scores"]["value_mig"]
    assert values["mig.chance.value_mig_p"] == metrics["chance"]["value_mig_p"]
    assert len(values) == sum(map(len, metrics.values()))


def test_corrected_values_of_core_are_reported_next_to_sae_benchs() -> None:
    result = loaded(OUR_CORE)
    values, _ = values_of(result, "core")
    corrected = result["eval_result_unstructured"]["corrected"]
    assert values["core.corrected.explained_variance"] == corrected["explained_variance"]
    assert values["core.explained_variance"] != values["core.corrected.explained_variance"]


@pytest.mark.parametrize("name", ["cossim", "relative_reconstruction_bias"])
def test_the_original_runs_minus_ones_are_undefined_with_a_reason(name: str) -> None:
    values, reasons = values_of(loaded(ORIGINAL_RUN_0), "core")
    assert values[f"core.{name}"] is None
    assert "-1 for NaN" in reasons[f"core.{name}"]


@pytest.mark.parametrize("name", sorted(NEVER_MINUS_ONE & {*live_core()["sparsity"], "mse"}))
def test_a_minus_one_that_cannot_be_is_undefined(name: str) -> None:
    values, reasons = core_values(**{name: -1.0})
    assert values[f"core.{name}"] is None
    assert f"core.{name}" in reasons


@pytest.mark.parametrize("name", sorted(WITNESSES))
def test_a_minus_one_that_can_be_is_a_value(name: str) -> None:
    values, reasons = core_values(**{name: -1.0})
    assert values[f"core.{name}"] == -1
    assert reasons == {}


@pytest.mark.parametrize(
    ("name", "witness", "mark"),
    [
        (name, witness, mark)
        for name in WITNESSES
        for witness in WITNESSES[name]
        for mark in (-1, NAN)
    ],
)
def test_a_minus_one_is_undefined_where_what_it_is_made_of_is(
    name: str, witness: str, mark: float
) -> None:
    values, reasons = core_values(**{name: -1.0, witness: mark})
    assert values[f"core.{name}"] is None
    assert witness in reasons[f"core.{name}"]


def test_where_our_result_lists_what_is_undefined_nothing_else_is() -> None:
    unstructured = {"upstream_undefined": {"mse": "inf"}}
    result = published(
        "core", live_core(mse=-1, cossim=-1.0), eval_result_unstructured=unstructured
    )
    values, reasons = values_of(result, "core")
    assert values["core.mse"] is None
    assert reasons == {"core.mse": "SAE-Bench computed inf"}
    assert values["core.cossim"] == -1


def test_a_minus_one_of_another_eval_is_a_value() -> None:
    result = published("scr", {"scr_metrics": {"scr_metric_threshold_2": -1.0}})
    assert values_of(result, "scr").values == {"scr.scr_metric_threshold_2": -1.0}


def test_a_null_of_ours_has_the_reason_that_the_result_gives() -> None:
    result = loaded(OUR_MIG)
    result["eval_result_metrics"]["scores"]["mig"] = None
    result["eval_result_unstructured"]["reasons"] = {"mig": "no factor varies"}
    values, reasons = values_of(result, "mig")
    assert values["mig.mig"] is None
    assert reasons["mig.mig"] == "no factor varies"


@pytest.mark.parametrize("value", [NAN, math.inf, -math.inf, 10**400, None])
def test_what_is_no_finite_number_is_undefined_with_a_reason(value: object) -> None:
    values, reasons = core_values(ce_loss_score=value)
    assert values["core.ce_loss_score"] is None
    assert reasons["core.ce_loss_score"].startswith("the file has ")


@pytest.mark.parametrize("value", ["0.5", [0.5], {"a": 0.5}, True])
def test_what_is_no_number_at_all_is_no_value(value: object) -> None:
    values, _ = core_values(ce_loss_score=value)
    assert "core.ce_loss_score" not in values


@pytest.mark.parametrize("metrics", [None, [], "text", {"category": [1]}, {"category": None}])
def test_metrics_in_another_form_hold_no_value(metrics: object) -> None:
    assert values_of({"eval_result_metrics": metrics}, "core").values == {}


@pytest.mark.parametrize("value", [1e308, -1e300, 1.1e100])
def test_a_value_whose_square_is_no_number_is_undefined(value: float) -> None:
    values, reasons = core_values(mse=value)
    assert values["core.mse"] is None
    assert "too large to be measured" in reasons["core.mse"]


def test_a_large_value_is_a_value() -> None:
    assert core_values(mse=1e99)[0]["core.mse"] == 1e99
