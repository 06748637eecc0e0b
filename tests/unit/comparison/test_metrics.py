"""csae_bench/comparison/metrics.py."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csae_bench.comparison.metrics import METRICS, lookup
from csae_bench.evals import discover, get_eval
from csae_bench.evals.metric_rows import Direction
from csae_bench.evals.metric_values import compared
from tests.unit.comparison.result_files import OUR_CORE, loaded, reading

FACTOR_EVALS = ("mig", "factor_vae", "feature_correlation", "factor_probing")


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("core.ce_loss_score", Direction.HIGHER),
        ("core.corrected.explained_variance", Direction.HIGHER),
        ("core.mse", Direction.LOWER),
        ("core.l2_ratio", Direction.TARGET),
        ("core.l0", Direction.NONE),
        ("absorption_first_letter.mean_absorption_fraction_score", Direction.LOWER),
        ("absorption_first_letter.mean_full_absorption_score", Direction.LOWER),
        ("autointerp.autointerp_score", Direction.HIGHER),
        ("ravel.disentanglement_score", Direction.HIGHER),
        ("scr.scr_metric_threshold_20", Direction.HIGHER),
        ("sparse_probing.sae_top_1_test_accuracy", Direction.HIGHER),
        ("sparse_probing_sae_probes.sae_top_5_test_auc", Direction.HIGHER),
        ("sparse_probing.llm_test_accuracy", Direction.NONE),
        ("tpp.tpp_threshold_10_total_metric", Direction.HIGHER),
        ("unlearning.unlearning_score", Direction.HIGHER),
        ("mig.value_mig", Direction.HIGHER),
        ("factor_vae.factor_vae_population", Direction.HIGHER),
        ("feature_correlation.near_duplicates", Direction.LOWER),
    ],
)
def test_the_way_that_is_better_is_known(metric: str, direction: Direction) -> None:
    assert lookup(metric).direction is direction


@pytest.mark.parametrize(
    "metric",
    [
        "scr.scr_metric_threshold_20",
        "tpp.tpp_threshold_10_total_metric",
        "unlearning.unlearning_score",
    ],
)
def test_tpp_scr_and_unlearning_inform_and_do_not_gate(metric: str) -> None:
    spec = lookup(metric)
    assert not spec.may_gate
    assert spec.note.startswith("Informs and does not gate")


@given(st.text())
def test_an_unknown_metric_has_no_direction_and_never_gates(name: str) -> None:
    spec = lookup(f"unheard_of.{name}")
    assert (spec.direction, spec.may_gate, spec.margin) == (Direction.NONE, False, None)
    assert (spec.name, spec.comparable_from) == (f"unheard_of.{name}", None)


def test_a_row_found_by_a_glob_is_named_for_the_metric() -> None:
    spec = lookup("sparse_probing_sae_probes.sae_top_20_test_f1")
    assert spec.name == "sparse_probing_sae_probes.sae_top_20_test_f1"
    assert spec.title == "Sparse probing, top 20, F1"
    assert lookup("scr.scr_metric_threshold_5").title == "SCR, top 5"
    assert lookup("mig.chance.mig_p").title == "mig.chance.mig_p"


def test_every_score_of_our_evals_has_a_title_of_its_own() -> None:
    assert set(FACTOR_EVALS) <= set(discover())
    for name in FACTOR_EVALS:
        metrics: Any = get_eval(name).metrics_model
        for score in metrics.model_fields["scores"].annotation.model_fields:
            assert lookup(f"{name}.{score}").title != f"{name}.{score}"


@pytest.mark.parametrize(
    "name",
    ["absorption", "autointerp", "core", "ravel", "scr", "sparse_probing", "tpp", "unlearning"],
)
def test_every_metric_that_sae_bench_shows_unasked_is_known(name: str) -> None:
    schema = sae_bench_schema(name)
    eval_name = schema["properties"]["eval_type_id"]["default"]
    shown = [
        f"{eval_name}.{field}"
        for model, definition in schema["$defs"].items()
        if not model.endswith(("Categories", "Detail"))
        for field, description in definition.get("properties", {}).items()
        if description.get("ui_default_display")
    ]
    assert shown
    assert [metric for metric in shown if lookup(metric).title == metric] == []


def sae_bench_schema(name: str) -> dict[str, Any]:
    """The JSON schema of an eval's results that the installed SAE-Bench has."""
    spec = find_spec("sae_bench")
    assert spec is not None
    (folder,) = spec.submodule_search_locations or ()
    (path,) = Path(folder).rglob(f"eval_output_schema_{name}*.json")
    return loaded(path)


def test_every_row_of_core_is_a_value_of_a_core_result() -> None:
    values = reading(loaded(OUR_CORE)).values
    rows = {f"core.{name}" for name in compared(get_eval("core").metrics)}
    assert len(rows) > 20
    assert rows <= set(values)


def test_a_margin_is_positive_and_a_target_goes_with_its_direction() -> None:
    ours = (f"{name}.{m}" for name in discover() for m in compared(get_eval(name).metrics))
    for spec in (*METRICS, *map(lookup, ours)):
        assert spec.margin is None or spec.margin > 0
        assert (spec.target is not None) == (spec.direction is Direction.TARGET)
        assert not (spec.may_gate and spec.direction is Direction.NONE)


def test_no_row_hides_another() -> None:
    names = [spec.name for spec in METRICS]
    assert len(set(names)) == len(names)
    assert [spec for spec in METRICS if "*" not in spec.name and lookup(spec.name) != spec] == []


def test_a_supporting_metric_has_its_evals_direction_and_gates_nothing() -> None:
    spec = lookup("mig.parts.value_mig_best_latent")
    assert spec.direction is Direction.HIGHER
    assert spec.title == "Value MIG, best latent"
    assert spec.is_supporting
    assert not spec.may_gate
