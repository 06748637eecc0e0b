"""Pydantic models made of metrics' rows: what results are checked against, and their schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from csae_bench.evals.metric_rows import CORRECTED, Form, Metric
from csae_bench.evals.metric_values import ResultValue, values


class ResultModel(BaseModel):
    """Base of what results are checked against."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def metrics_model(name: str, metrics: Mapping[str, Metric], form: Form) -> type[BaseModel]:
    """Return the model of `eval_result_metrics`: categories, each with its metrics.

    Raises:
        ValueError: a metric has a category that the form lacks.
    """
    by_category: dict[str, dict[str, Any]] = {category: {} for category in form.categories}
    for value in values(metrics):
        if value.category == CORRECTED:
            continue
        if value.category not in by_category:
            raise ValueError(
                f"metric '{value.name}': its category is {value.category}; the form of its eval's "
                f"results has {', '.join(by_category)}"
            )
        by_category[value.category][value.field] = _field(value)
    categories: dict[str, Any] = {}
    for category, fields in by_category.items():
        if fields:
            told = form.categories[category]
            model_name = told.model or f"{name}{category.title()}"
            model: Any = create_model(
                model_name, __base__=ResultModel, __doc__=told.about or None, **fields
            )
            info = Field(
                title=told.title,
                description=told.description,
                json_schema_extra=_display(told.is_displayed),
            )
            categories[category] = (model, info)
    return create_model(name, __base__=ResultModel, __doc__=form.about or None, **categories)


def detail_model(
    name: str, metrics: Mapping[str, Metric], base: type[BaseModel]
) -> type[BaseModel]:
    """Return the model of one of `eval_result_details`: the base and, per metric that has one, the
    value of what the entry is about."""
    fields: dict[str, Any] = {
        value.field: _field(value) for value in values(metrics) if value.metric.is_by_factor
    }
    return create_model(name, __base__=base, **fields) if fields else base


def _field(value: ResultValue) -> Any:
    metric = value.metric
    if metric.is_sae_bench and not value.suffix:
        kind, low, high = float, None, None
    else:
        kind, low, high = float | None, value.low, value.high
    info = Field(
        title=value.title,
        description=value.description,
        ge=low,
        le=high,
        json_schema_extra=_display(metric.is_displayed and not value.suffix),
    )
    return kind, info


def _display(is_displayed: bool) -> dict[str, Any]:
    """Return the schema key for values that SAE-Bench's pages show by default."""
    return {"ui_default_display": True} if is_displayed else {}
