"""The form of results, from one table of metrics: models with a title and a description a field.

A metric `x` has the field `x` among `scores`. Where they apply stand beside it `x_null_mean`,
`x_adjusted` and `x_p` (`chance`), `x_low` and `x_high` (`intervals`), and `x_held_out`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric's name for people, what it is, its range, and what stands beside it."""

    title: str
    description: str
    low: float | None = 0.0
    """None: no bound."""
    high: float | None = 1.0
    """None: no bound."""
    has_null: bool = True
    has_interval: bool = True
    has_held_out: bool = False
    is_by_factor: bool = True
    """Whether each factor has a value of its own."""


CATEGORIES = {
    "scores": "The plain values, as their papers define them.",
    "chance": "The values beside what they are where the samples' factors are permuted.",
    "intervals": "95% percentile intervals from resampling whole frames.",
    "held_out": "The values of latents chosen on half of the frames, on the other half.",
}
"""Category -> description. One that no metric of an eval has is left out."""


class Strict(BaseModel):
    """Base of what results are checked against."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class FactorDetail(Strict):
    """What an eval found of one factor."""

    factor: str
    """The factor's name."""
    parent: str | None
    """The factor whose values this one's divide; none for most."""
    n_values: int
    """Values that occur in the samples."""
    reasons: dict[str, str]
    """Field -> why it is null, for those that are."""


def metrics_model(name: str, metrics: Mapping[str, Metric]) -> type[BaseModel]:
    """The model of `eval_result_metrics`: categories, each with its metrics."""
    categories: dict[str, Any] = {}
    for category, description in CATEGORIES.items():
        fields: dict[str, Any] = {
            field: (float | None, info)
            for metric_name, metric in metrics.items()
            for in_category, field, info in _fields(metric_name, metric)
            if in_category == category
        }
        if fields:
            title = category.replace("_", " ").capitalize()
            model: Any = create_model(f"{name}{category.title()}", __base__=Strict, **fields)
            info = Field(title=title, description=description, json_schema_extra=_shown(category))
            categories[category] = (model, info)
    return create_model(name, __base__=Strict, **categories)


def detail_model(
    name: str, metrics: Mapping[str, Metric], base: type[FactorDetail]
) -> type[BaseModel]:
    """The model of one of `eval_result_details`: a factor's value of each metric that has such."""
    fields: dict[str, Any] = {
        field: (float | None, info)
        for metric_name, metric in metrics.items()
        if metric.is_by_factor
        for _, field, info in _fields(metric_name, metric)
    }
    return create_model(name, __base__=base, **fields)


def _fields(name: str, metric: Metric) -> Iterator[tuple[str, str, FieldInfo]]:
    """Category, field name and description of a metric and of what stands beside it."""
    low, high = metric.low, metric.high
    yield "scores", name, _field(metric.title, metric.description, low, high, "scores")
    if metric.has_null:
        span = None if low is None or high is None else high - low
        for suffix, title, description, ends in (
            ("null_mean", "null mean", "Mean over permutations of the factors.", (low, high)),
            (
                "adjusted",
                "less chance",
                "The value minus the null's mean: about 0 without a relation.",
                (None if span is None else -span, span),
            ),
            (
                "p",
                "p",
                "(1 + permutations that reach the value) / (1 + permutations), one-sided.",
                (0.0, 1.0),
            ),
        ):
            info = _field(f"{metric.title}, {title}", description, *ends, "chance")
            yield "chance", f"{name}_{suffix}", info
    if metric.has_interval:
        for suffix in ("low", "high"):
            title = f"{metric.title}, {suffix} end"
            description = f"The {suffix} end of the 95% interval."
            yield "intervals", f"{name}_{suffix}", _field(title, description, low, high, "")
    if metric.has_held_out:
        description = "Of latents chosen on half of the frames, on the other half."
        least = -1.0 if metric.high == 1.0 else low
        info = _field(f"{metric.title}, held out", description, least, high, "held_out")
        yield "held_out", f"{name}_held_out", info


def _field(
    title: str, description: str, low: float | None, high: float | None, category: str
) -> Any:
    return Field(
        title=title, description=description, ge=low, le=high, json_schema_extra=_shown(category)
    )


def _shown(category: str) -> dict[str, Any]:
    """What SAE-Bench's pages show unasked."""
    return {"ui_default_display": True} if category == "scores" else {}
