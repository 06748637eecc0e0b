"""Values of a result, flat and by name, and which of them are meaningless.

A value beyond `MAX` is None as well: its square, or a difference of two, would be no number.

SAE-Bench's core writes -1 for NaN. Where a value cannot be -1 otherwise, or where another value
shows that it was NaN, it is None here, with the reason.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from csae_bench.evals.metric_rows import CORRECTED, SCORES
from csae_bench.evals.metric_values import compared_name

MAX = 1e100
"""Largest size of a measurement; means and spreads of smaller ones are finite."""

MAX_METRIC = 1000
"""Characters of a metric's or a category's name."""
_MAX_REASON = 2000
"""Characters of a reason that are kept."""
_MAX_NAME = 120
"""Characters of a metric's name in an error."""


NULL = "the file has null, without a reason"
"""Reason for a missing value: SAE-Bench writes this for what its settings did not ask for."""

NEVER_MINUS_ONE = frozenset(
    {
        "kl_div_with_ablation",
        "kl_div_with_sae",
        "ce_loss_with_ablation",
        "ce_loss_with_sae",
        "ce_loss_without_sae",
        "mse",
        "cossim",
        "l2_norm_in",
        "l2_norm_out",
        "l2_ratio",
        "relative_reconstruction_bias",
        "l0",
        "freq_over_1_percent",
        "freq_over_10_percent",
        "normalized_freq_over_1_percent",
        "normalized_freq_over_10_percent",
        "average_max_encoder_cosine_sim",
        "average_max_decoder_cosine_sim",
        "frac_alive",
        "total_tokens_eval_reconstruction",
        "total_tokens_eval_sparsity_variance",
    }
)
"""Core's values that are not negative, or that are -1 only if every reconstruction points exactly
against its activation."""

WITNESSES: Mapping[str, tuple[str, ...]] = {
    "kl_div_score": ("kl_div_with_sae", "kl_div_with_ablation"),
    "ce_loss_score": ("ce_loss_with_sae", "ce_loss_with_ablation", "ce_loss_without_sae"),
    "explained_variance": ("mse",),
    "explained_variance_legacy": ("mse",),
    "l1": ("mse",),
}
"""Core's values that may well be -1: made from, or NaN together with, one of these."""


class MetricValues(NamedTuple):
    """Values by name, and why a value is None."""

    values: dict[str, float | None]
    reasons: dict[str, str]


def values_of(result: Mapping[str, Any], eval_name: str) -> MetricValues:
    """Return the metrics of a result: `<eval>.<metric>`, or `<eval>.<category>.<metric>`.

    A metric goes without its category where no other category of the result has its name; of our
    evals those among the `scores` do, and no others. Core's corrected values are
    `core.corrected.<metric>`.
    """
    values = MetricValues({}, {})
    unstructured = mapping(result.get("eval_result_unstructured"))
    reasons = mapping(unstructured.get("reasons"))
    categories = categories_of(result)
    undefined = undefined_by_mark(categories, unstructured) if eval_name == "core" else {}
    names = Counter(name for _, name, _ in _entries(categories))
    for category, name, value in _entries(categories):
        has_scores, is_unique = SCORES in categories, names[name] == 1
        place = compared_name(category, name, has_scores=has_scores, is_unique=is_unique)
        _add(values, f"{eval_name}.{place}", value, undefined.get(name) or reasons.get(name))
    for name, value in mapping(unstructured.get(CORRECTED)).items():
        place = f"{CORRECTED}.{name}"
        _add(values, f"{eval_name}.{place}", value, reasons.get(place))
    return values


def categories_of(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return `eval_result_metrics`, whatever it is, as category -> metric -> value."""
    metrics = mapping(result.get("eval_result_metrics"))
    return {category: mapping(of_category) for category, of_category in metrics.items()}


def misshapen(metrics: Any) -> str | None:
    """Return why `eval_result_metrics` is not an object of objects of numbers; None if it is.

    A null among the metrics is allowed: that one is undefined.
    """
    if not isinstance(metrics, dict):
        return f"is {_kind(metrics)}"
    for category, of_category in mapping(metrics).items():
        if len(category) > MAX_METRIC:
            return f"has a category whose name has {len(category)} characters"
        if not isinstance(of_category, dict):
            return f"has {_kind(of_category)} at {_short(category)}"
        for name, value in mapping(of_category).items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if len(name) > MAX_METRIC:
                return f"has a metric whose name has {len(name)} characters"
            if not is_number and value is not None:
                return f"has {_kind(value)} at {_short(f'{category}.{name}')}"
    return None if any(mapping(metrics).values()) else "has no metric"


def undefined_by_mark(
    categories: Mapping[str, Mapping[str, Any]], unstructured: Mapping[str, Any]
) -> dict[str, str]:
    """Return Core's values whose -1 stands for an undefined value, and why.

    Our results list them; for others it is decided by field, see the tables above.
    """
    listed = unstructured.get("upstream_undefined")
    if isinstance(listed, dict):
        return {str(name): f"SAE-Bench computed {value}" for name, value in listed.items()}
    values = {name: value for _, name, value in _entries(categories)}
    marked = {name for name, value in values.items() if _is_mark(value)}
    reasons = dict.fromkeys(marked & NEVER_MINUS_ONE, "SAE-Bench writes -1 for NaN, as here")
    for name, witnesses in WITNESSES.items():
        nan = [
            witness for witness in witnesses if witness in reasons or _is_nan(values.get(witness))
        ]
        if name in marked and nan:
            reasons[name] = f"SAE-Bench writes -1 for NaN, and {nan[0]} is NaN too"
    return reasons


def number(value: Any) -> float | None:
    """Return `value` as a finite float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) else None


def mapping(value: Any) -> dict[str, Any]:
    """Return `value` if it is an object; else an empty one."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}..."


def _entries(categories: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    for category, metrics in categories.items():
        for name, value in metrics.items():
            yield category, name, value


def _add(values: MetricValues, name: str, value: Any, reason: Any) -> None:
    """Store a value, or why it is None. A text or a list among the metrics is not a value."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        return
    marked = isinstance(reason, str) and _is_mark(value)
    defined = None if marked else number(value)
    if defined is not None and abs(defined) > MAX:
        defined, reason = None, f"the file has {defined:g}, which is too large to be measured"
    values.values[name] = defined
    if defined is None:
        values.reasons[name] = reason[:_MAX_REASON] if isinstance(reason, str) else _why(value)


def _why(value: Any) -> str:
    if value is None:
        return NULL
    shown = "a number beyond a float's range" if isinstance(value, int) else str(value)
    return f"the file has {shown}"


def _is_mark(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == -1


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
