"""The values of a result, as the rows of its eval's metrics have them: where they are filed, what
they are called, and in which order they are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from csae_bench.evals.metric_rows import CORRECTED, SCORES, Metric


class ResultValue(NamedTuple):
    """A value of a result: a metric, or what accompanies one."""

    name: str
    """Name of its metric in the table, with a suffix such as `_low` for what accompanies it."""
    category: str
    title: str
    description: str
    low: float | None
    high: float | None
    metric: Metric
    suffix: str
    """`low`, `adjusted` and the like; empty for the metric itself."""

    @property
    def field(self) -> str:
        """Name within its category."""
        return self.name.removeprefix(f"{self.category}.")

    @property
    def place(self) -> str:
        """Place in the JSON of a result, as keys with dots between them."""
        root = "unstructured" if self.category == CORRECTED else "metrics"
        return f"eval_result_{root}.{self.category}.{self.field}"

    @property
    def short(self) -> str:
        """Title in the line that a run prints."""
        return self.title.rpartition(", ")[2] if self.suffix else self.metric.short or self.title


def values(metrics: Mapping[str, Metric]) -> Iterator[ResultValue]:
    """Yield all values of a table's metrics, each metric before what accompanies it."""
    for name, metric in metrics.items():
        yield from values_of(name, metric)


def values_of(name: str, metric: Metric) -> Iterator[ResultValue]:
    """Yield a metric and what accompanies it."""
    title = metric.schema_title or metric.title
    low, high = metric.low, metric.high
    yield ResultValue(name, metric.category, title, metric.description, low, high, metric, "")

    def beside(
        category: str, suffix: str, of_title: str, description: str,
        low: float | None, high: float | None,
    ) -> ResultValue:  # fmt: skip
        of_title = f"{title}, {of_title}"
        return ResultValue(
            f"{name}_{suffix}", category, of_title, description, low, high, metric, suffix
        )

    if metric.has_null:
        span = None if low is None or high is None else high - low
        yield beside("chance", "null_mean", "null mean",
                     f"Mean over permutations of {metric.permuted}.", low, high)  # fmt: skip
        yield beside("chance", "adjusted", "less chance",
                     "The value minus the null's mean: about 0 without a relation.",
                     None if span is None else -span, span)  # fmt: skip
        yield beside("chance", "p", "p",
                     "(1 + permutations that reach the value) / (1 + permutations), one-sided.",
                     0.0, 1.0)  # fmt: skip
    if metric.has_interval:
        for end in ("low", "high"):
            description = f"The {end} end of the 95% interval."
            yield beside("intervals", end, f"{end} end", description, low, high)
    if metric.has_poolings:
        for pooling, what in (("mean", "mean"), ("max", "largest")):
            description = f"Of each latent's {what} code over the tokens of a prompt."
            yield beside("poolings", pooling, f"{what} over tokens", description, low, high)
    if metric.has_held_out:
        yield beside("held_out", "held_out", "held out",
                     "Of latents chosen on half of the templates, on the other half.",
                     -1.0 if high == 1.0 else low, high)  # fmt: skip


def headline(metrics: Mapping[str, Metric], names: Sequence[str]) -> dict[str, str]:
    """Return short title -> place of each value that is named.

    Raises:
        ValueError: the table has no such value, or two have one short title.
    """
    by_name = {value.name: value for value in values(metrics)}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise ValueError(f"headline names {', '.join(unknown)}, which is no value of the metrics")
    places = {by_name[name].short: by_name[name].place for name in names}
    if len(places) < len(names):
        raise ValueError(f"headline: two of {', '.join(names)} have one short title")
    return places


def compared(metrics: Mapping[str, Metric]) -> dict[str, ResultValue]:
    """Return the compared values, the main ones first, by their names in a comparison."""
    return {
        name: value
        for name, value in sorted(names_in_comparison(metrics).items(), key=_place)
        if not value.metric.is_supporting
        and (not value.suffix or value.suffix in value.metric.compared)
    }


def names_in_comparison(metrics: Mapping[str, Metric]) -> dict[str, ResultValue]:
    """Return all values of a table's metrics by their names in a comparison, in order."""
    there = list(values(metrics))
    has_scores = any(value.category == SCORES for value in there)
    n_of_name = Counter(value.field for value in there if value.category != CORRECTED)
    return {
        compared_name(
            value.category,
            value.field,
            has_scores=has_scores,
            is_unique=n_of_name[value.field] == 1,
        ): value
        for value in there
    }


def compared_name(category: str, field: str, *, has_scores: bool, is_unique: bool) -> str:
    """Return a value's name in a comparison, after the eval's name.

    It goes without its category among the `scores`; where an eval has no such category, wherever
    no other category has its name.
    """
    if category == CORRECTED:
        return f"{category}.{field}"
    is_plain = category == SCORES if has_scores else is_unique
    return field if is_plain else f"{category}.{field}"


def _place(named: tuple[str, ResultValue]) -> tuple[int, int]:
    """Return the metrics by rank, then what accompanies them."""
    value = named[1]
    if not value.suffix:
        return -1, value.metric.rank
    of_metric: tuple[str, ...] = value.metric.compared
    return of_metric.index(value.suffix) if value.suffix in of_metric else len(of_metric), 0
