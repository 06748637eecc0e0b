"""The shipped JSON schemas, and the models behind them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from csae_bench.evals import get_eval
from csae_bench.evals.schemas import evals_with_schema, schema_path, schema_text

NAMES = evals_with_schema()


def test_the_evals_of_ours_have_schemas() -> None:
    assert {"mig", "factor_vae", "feature_correlation", "factor_probing"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_schema_is_what_the_eval_says(name: str) -> None:
    shipped = schema_path(name).read_text(encoding="utf-8")
    assert shipped == schema_text(name), "run python -m csae_bench.evals.schemas"
    Draft202012Validator.check_schema(json.loads(shipped))


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_and_detail_has_a_title_and_a_description(name: str) -> None:
    schema = json.loads(schema_path(name).read_text(encoding="utf-8"))

    def described(model: dict[str, Any], place: str) -> None:
        for field, info in model["properties"].items():
            assert info.get("title"), f"{place}.{field}"
            assert info.get("description"), f"{place}.{field}"

    spec = get_eval(name)
    assert spec.metrics_model is not None
    assert spec.detail_model is not None
    metrics = schema["$defs"][spec.metrics_model.__name__]
    described(metrics, name)
    for category in metrics["properties"].values():
        described(schema["$defs"][category["$ref"].rsplit("/", 1)[1]], name)


@pytest.mark.parametrize("name", NAMES)
def test_the_headline_is_among_the_metrics(name: str) -> None:
    spec = get_eval(name)
    assert spec.metrics_model is not None
    for place in spec.headline.values():
        root, category, field = place.split(".")
        assert root == "eval_result_metrics"
        model: Any = spec.metrics_model.model_fields[category].annotation
        assert field in model.model_fields
