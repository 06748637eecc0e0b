"""The row of a metric: csae_bench/metric_rows.py, metric_values.py and metric_models.py, and what
every registered eval keeps to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from csae_bench.comparison.metrics import lookup
from csae_bench.evals import EvalConfig, EvalSpec, discover, get_eval, register_eval
from csae_bench.evals.metric_models import metrics_model
from csae_bench.evals.metric_rows import CORRECTED, FORM, Category, Direction, Form, Metric
from csae_bench.evals.metric_values import compared, headline, values
from csae_bench.results.envelope import value_at
from csae_bench.upstream.validation import SAE_BENCH_EVALS
from tests.unit.comparison.result_files import OUR_CORE, loaded, reading

EVALS = discover()
FIXTURES = Path(__file__).parents[2] / "data" / "results"
RESULTS = sorted(FIXTURES.rglob("*_eval_results.json"))


def row(**changes: Any) -> Metric:
    known = {"title": "Score", "description": "What it is.", "direction": Direction.HIGHER}
    return Metric(**{**known, **changes})


# Every eval


@pytest.mark.parametrize("name", EVALS)
def test_every_metric_of_an_eval_has_a_whole_row(name: str) -> None:
    metrics = get_eval(name).metrics
    assert metrics
    for metric in metrics.values():
        assert metric.title
        assert len(metric.description) > 5
        assert isinstance(metric.direction, Direction)
    of_scores = [m.title for m in metrics.values() if not m.is_supporting]
    assert len(set(of_scores)) == len(of_scores)


@pytest.mark.parametrize("name", EVALS)
def test_the_model_of_the_metrics_is_made_of_the_rows(name: str) -> None:
    spec = get_eval(name)
    if spec.form is None:
        assert name in SAE_BENCH_EVALS
        assert spec.metrics_model is None
        return
    model: Any = spec.metrics_model
    fields = {
        f"eval_result_metrics.{category}.{field}": (info.title, info.description)
        for category, of_category in model.model_fields.items()
        for field, info in of_category.annotation.model_fields.items()
    }
    rows = {v.place: (v.title, v.description) for v in values(spec.metrics)}
    assert fields == rows


@pytest.mark.parametrize("name", EVALS)
def test_the_headline_names_rows_by_titles_of_their_own(name: str) -> None:
    spec = get_eval(name)
    places = {value.place for value in values(spec.metrics)}
    assert spec.headline
    assert len(spec.headline) == len(spec.shown)
    assert set(spec.headline.values()) <= places


@pytest.mark.parametrize("name", EVALS)
def test_compare_knows_what_the_rows_say(name: str) -> None:
    spec = get_eval(name)
    for metric, value in compared(spec.metrics).items():
        known = lookup(f"{name}.{metric}")
        assert known.direction is value.metric.direction
        assert known.unit == value.metric.unit
        assert known.comparable_from == value.metric.comparable_from
        assert known.may_gate == (value.metric.may_gate and not value.suffix)
        assert not known.is_supporting
    for value in values(spec.metrics):
        if value.metric.is_supporting:
            assert lookup(f"{name}.{value.name}").is_supporting


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.parent.name)
def test_values_of_results_lie_within_the_ranges_of_their_rows(path: Path) -> None:
    result = json.loads(path.read_text(encoding="utf-8"))
    there = 0
    for value in values(get_eval(result["eval_type_id"]).metrics):
        number = value_at(result, value.place)
        if number is None or (value.metric.is_sae_bench and number == -1):
            continue
        there += 1
        # SAE-Bench sums in float32
        slack = 1e-6 if value.metric.is_sae_bench else 0.0
        assert value.low is None or number >= value.low - slack, value.place
        assert value.high is None or number <= value.high + slack, value.place
    assert there


def test_the_rows_of_core_are_the_values_of_a_core_result() -> None:
    result = loaded(OUR_CORE)
    measured = {
        f"eval_result_metrics.{category}.{name}"
        for category, of_category in result["eval_result_metrics"].items()
        for name in of_category
    }
    measured |= {
        f"eval_result_unstructured.{CORRECTED}.{name}"
        for name in result["eval_result_unstructured"][CORRECTED]
    }
    assert {value.place for value in values(get_eval("core").metrics)} == measured


def test_a_name_in_a_comparison_is_that_of_the_reader() -> None:
    for path in RESULTS:
        result = json.loads(path.read_text(encoding="utf-8"))
        name = result["eval_type_id"]
        named = {f"{name}.{metric}" for metric in compared(get_eval(name).metrics)}
        assert named <= set(reading(result).values)


# A row


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"title": " "}, "needs a title"),
        ({"description": ""}, "needs a description"),
        ({"direction": "higher"}, "must be a Direction"),
        ({"target": 1.0}, "go together"),
        ({"direction": Direction.TARGET}, "go together"),
        ({"low": 1.0, "high": 1.0}, "low is 1.0 and high is 1.0"),
        ({"low": float("nan")}, "low is nan"),
        ({"margin": 0.0}, "margin is 0.0; it must be above 0"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"compared": ("held_out",)}, "compared names held_out, which it does not have"),
        ({"compared": ("adjusted",), "has_held_out": True}, "compared names adjusted"),
    ],
)
def test_a_row_with_a_fault_is_refused(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        row(**changes)


def test_a_metric_without_a_direction_never_gates() -> None:
    assert row().may_gate
    assert not row(gates=False).may_gate
    assert not row(direction=Direction.NONE).may_gate


def test_what_accompanies_a_metric_gets_fields_and_only_what_is_asked_for_is_compared() -> None:
    metrics = {
        "x": row(has_null=True, has_interval=True, has_held_out=True, compared=("held_out",)),
        "n": row(title="N", direction=Direction.NONE, high=None, is_supporting=True),
    }
    assert [value.name for value in values(metrics)] == [
        *("x", "x_null_mean", "x_adjusted", "x_p", "x_low", "x_high", "x_held_out", "n"),
    ]
    assert list(compared(metrics)) == ["x", "held_out.x_held_out"]
    model = metrics_model("M", {"x": row(), "y": row(title="Y", low=None, high=None)}, FORM)
    model.model_validate({"scores": {"x": None, "y": -7.5}})
    for wrong in ({"x": 1.5, "y": 0}, {"x": 0.5}, {"x": 0.5, "y": 0, "z": 0}):
        with pytest.raises(ValidationError):
            model.model_validate({"scores": wrong})


def test_rank_says_what_comes_first() -> None:
    metrics = {"b": row(), "a": row(), "last": row(rank=1), "first": row(rank=-1)}
    assert list(compared(metrics)) == ["first", "b", "a", "last"]


def test_a_category_that_is_no_score_is_part_of_the_name() -> None:
    form = Form(categories={**FORM.categories, "extra": Category(title="E", description="E.")})
    metrics = {"x": row(), "y": row(category="extra")}
    metrics_model("M", metrics, form).model_validate({"scores": {"x": 0}, "extra": {"y": 1}})
    assert list(compared(metrics)) == ["x", "extra.y"]
    assert list(compared({"y": row(category="extra")})) == ["y"]
    with pytest.raises(ValueError, match=r"'y': its category is extra; the form .* has scores"):
        metrics_model("M", metrics, FORM)


def test_a_headline_names_values_and_no_title_twice() -> None:
    metrics = {"x": row(has_null=True, short="x"), "y": row(short="x")}
    assert headline(metrics, ["x", "x_adjusted"]) == {
        "x": "eval_result_metrics.scores.x",
        "less chance": "eval_result_metrics.chance.x_adjusted",
    }
    with pytest.raises(ValueError, match="headline names z"):
        headline(metrics, ["x", "z"])
    with pytest.raises(ValueError, match="one short title"):
        headline(metrics, ["x", "y"])


def test_an_eval_is_refused_whose_headline_names_no_row() -> None:
    with pytest.raises(ValueError, match="headline names nothing"):
        register_eval("refused", config=EvalConfig, metrics={"x": row()}, headline=("nothing",))


def test_without_a_headline_the_first_metrics_are_shown() -> None:
    metrics = {f"m{i}": row(title=f"M{i}", is_supporting=i == 0) for i in range(9)}
    spec = _registered(metrics)
    assert list(spec.headline) == ["M1", "M2", "M3", "M4"]


def _registered(metrics: dict[str, Metric]) -> EvalSpec:
    from csae_bench.evals.pages import EVALS as REGISTRY

    register_eval("for_a_test", config=EvalConfig, metrics=metrics)(lambda ctx, cfg: Any)  # type: ignore[arg-type]
    try:
        return get_eval("for_a_test")
    finally:
        del REGISTRY._entries["for_a_test"]
