"""The words, scores, settings and presets of each eval, from its page in `evals/`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from csae_bench.evals import EvalSpec, Metric, get_eval
from csae_bench.evals.metric_rows import Direction
from csae_bench.evals.pages import PAGES
from csae_bench.evals.presets import PRESETS
from experiments.handbook.settings import Setting, settings_of, shown

_BETTER = {
    Direction.HIGHER: "higher",
    Direction.LOWER: "lower",
    Direction.TARGET: "nearer to {target:g}",
    Direction.NONE: "",
}


class Row(NamedTuple):
    """A score."""

    name: str
    about: str
    range: str
    better: str
    beside: str
    gates: str


class Page(NamedTuple):
    """An eval."""

    name: str
    summary: str
    about: dict[str, str]
    rows: list[Row]
    n_more: int
    """Rows that only accompany these."""
    settings: list[Setting]
    presets: list[tuple[str, str]]


def pages() -> list[Page]:
    """Return a page for each of our evals, by name."""
    return [page(get_eval(name)) for name in sorted(PAGES.shipped)]


def page(spec: EvalSpec) -> Page:
    """Return the page of an eval."""
    scores = {name: row for name, row in spec.metrics.items() if not row.is_supporting}
    return Page(
        name=spec.name,
        summary=spec.summary,
        about=spec.about,
        rows=[_row(name, row) for name, row in scores.items()],
        n_more=len(spec.metrics) - len(scores),
        settings=settings_of(spec.config),
        presets=list(_presets(spec)),
    )


def _row(name: str, row: Metric) -> Row:
    low = "" if row.low is None else f"{row.low:g}"
    high = "" if row.high is None else f"{row.high:g}"
    words = (("null", row.has_null), ("interval", row.has_interval), ("held out", row.has_held_out))
    return Row(
        name=name,
        about=" ".join(part for part in (row.description, row.note) if part),
        range=f"{low or '-∞'} to {high or '∞'}",
        better=_BETTER[row.direction].format(target=row.target or 0),
        beside=", ".join(word for word, has in words if has),
        gates="yes" if row.may_gate else "",
    )


def _presets(spec: EvalSpec) -> Iterator[tuple[str, str]]:
    for name in PRESETS:
        own = spec.presets.get(name)
        if own is not None:
            unverified = f" Unverified: {', '.join(own.unverified)}." if own.unverified else ""
            values = ", ".join(f"{key}={shown(value)}" for key, value in own.settings.items())
            yield name, f"{own.about}{unverified} `{values}`" if values else own.about
