"""Scores, nulls and intervals as the fields of a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any

from csae_bench.engines.factors.samples import POOLED_OVER_TOKENS, Samples
from csae_bench.evals.metric_rows import CATEGORIES, Metric
from csae_bench.factors import Pooling

if TYPE_CHECKING:
    from csae_bench.metrics.bootstrap import PercentileInterval, ScoreInterval
    from csae_bench.metrics.nulls import Null, ScoreNull
    from csae_bench.metrics.score import Score

ONE_TEMPLATE = "there is one template, and none to hold out"
ONE_OBSERVATION = "each sample is one activation: there are no tokens to pool over"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A metric's score, with its null, interval and held-out score if it has them."""

    score: Score
    null: ScoreNull | None = None
    interval: ScoreInterval | None = None
    held_out: Score | None = None
    """None where the metric has none, or there is one template."""
    poolings: Mapping[Pooling, Score] = dataclass_field(default_factory=dict)
    """The score of codes pooled otherwise; empty where the metric has none, or samples are single
    activations."""


@dataclass(frozen=True, kw_only=True)
class FactorReport:
    """Metrics of an eval by name: their descriptions and measured values."""

    metrics: Mapping[str, Metric]
    measured: Mapping[str, Measured]
    samples: Samples

    def categories(self) -> dict[str, dict[str, float | None]]:
        """Category -> field -> value, as `EvalSpec.metrics_model` has them."""
        by_category: dict[str, dict[str, float | None]] = {name: {} for name in CATEGORIES}
        for name in self.metrics:
            for field, (category, value, _) in self._fields(name, None).items():
                by_category[category][field] = value
        return {category: fields for category, fields in by_category.items() if fields}

    def details(self, of_factor: Callable[[str], Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return an entry for each factor, with the fields that `of_factor` adds to it."""
        factors = self.samples.factors
        details: list[dict[str, Any]] = []
        for k, factor in enumerate(factors.names):
            fields = {
                field: entry
                for name, metric in self.metrics.items()
                if metric.is_by_factor
                for field, entry in self._fields(name, factor).items()
            }
            counts = factors.value_counts[factors.value_ptr[k] : factors.value_ptr[k + 1]]
            details.append(
                {
                    "factor": factor,
                    "parent": self.samples.parents.get(factor),
                    "n_values": int((counts > 0).sum()),
                    **{field: value for field, (_, value, _) in fields.items()},
                    **of_factor(factor),
                    "reasons": {
                        field: reason
                        for field, (_, value, reason) in fields.items()
                        if value is None
                    },
                }
            )
        return details

    def unstructured(self, **more: Any) -> dict[str, Any]:
        """Return data, settings, reasons, notes and warnings, and the eval's further entries."""
        return {
            "data": self.samples.describe(),
            "settings": {name: self._settings(name) for name in self.metrics},
            "reasons": {
                field: reason
                for name in self.metrics
                for field, (_, value, reason) in self._fields(name, None).items()
                if value is None
            },
            "notes": self.samples.notes(),
            "warnings": self.samples.warnings(),
            **more,
        }

    def _settings(self, name: str) -> dict[str, Any]:
        measured = self.measured[name]
        settings = dict(measured.score.settings)
        if measured.interval is not None:
            settings["interval"] = measured.interval.settings
        if measured.held_out is not None:
            settings["held_out"] = measured.held_out.settings
        return settings

    def _fields(self, name: str, factor: str | None) -> dict[str, tuple[str, float | None, str]]:
        """Map each field to category, value, and reason if it is null; of a factor or of all."""
        metric, measured = self.metrics[name], self.measured[name]
        value, reason = _part(measured.score, factor)
        fields = {name: (metric.category, value, reason)}
        if metric.has_null:
            null = _null(measured.null, factor)
            for suffix, of_null in _null_fields(null).items():
                fields[f"{name}_{suffix}"] = ("chance", of_null, reason)
        if metric.has_interval:
            interval = _interval(measured.interval, factor)
            # what has no value has no interval, and for the same reason
            why = reason if value is None or interval is None else interval.reason or ""
            for suffix in ("low", "high"):
                end = getattr(interval, suffix) if interval and value is not None else None
                fields[f"{name}_{suffix}"] = ("intervals", end, why)
        if metric.has_poolings:
            for pooling in POOLED_OVER_TOKENS:
                pooled, why = None, ONE_OBSERVATION
                if pooling in measured.poolings:
                    pooled, why = _part(measured.poolings[pooling], factor)
                fields[f"{name}_{pooling}"] = ("poolings", pooled, why)
        if metric.has_held_out:
            held_out, why = (
                (None, ONE_TEMPLATE)
                if measured.held_out is None
                else _part(measured.held_out, factor)
            )
            fields[f"{name}_held_out"] = ("held_out", held_out, why)
        return fields


def _part(score: Score, factor: str | None) -> tuple[float | None, str]:
    if factor is None:
        return score.value, score.reason or ""
    return score.by_factor[factor], score.reason_by_factor.get(factor, "")


def _null(null: ScoreNull | None, factor: str | None) -> Null | None:
    if null is None:
        return None
    return null.score if factor is None else null.by_factor[factor]


def _interval(interval: ScoreInterval | None, factor: str | None) -> PercentileInterval | None:
    if interval is None:
        return None
    return interval.score if factor is None else interval.by_factor[factor]


def _null_fields(null: Null | None) -> dict[str, float | None]:
    return {
        "null_mean": null and null.mean,
        "adjusted": null and null.adjusted,
        "p": null and null.p,
    }
