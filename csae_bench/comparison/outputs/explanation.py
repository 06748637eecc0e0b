"""The meaning of a score: everything that its row, its eval and the yardsticks say of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from csae_bench.comparison.comparability import relevant
from csae_bench.comparison.metric_names import NamedValue, values_of_eval
from csae_bench.comparison.metrics import SD_MODEL, MetricSpec, lookup
from csae_bench.comparison.model import Condition
from csae_bench.comparison.yardsticks import shipped
from csae_bench.evals.metric_rows import ANY_VERSION, CORRECTED, Metric
from csae_bench.evals.metric_values import headline
from csae_bench.evals.pages import Registered

_PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
_PARAGRAPH = re.compile(r"\n\n|\n(?=- )")
"""Ends of a paragraph or of an entry of a list."""
_PAPER_PAGE = "https://arxiv.org/abs/"


@dataclass(frozen=True)
class Beside:
    """A value that accompanies a metric, or one of several of an eval."""

    name: str
    """`mig.value_mig_low`."""
    title: str
    description: str
    place: str
    """In the JSON of a result."""


@dataclass(frozen=True)
class KnownValue:
    """The score of a yardstick."""

    label: str
    value: float
    model: str | None
    """The language model; None: of the dataset alone, on every model."""
    conditions: dict[str, Condition]
    """The conditions of its measurement that the metric depends on."""


@dataclass(frozen=True)
class Twin:
    """The same by the right formula, or, of a corrected value, SAE-Bench's own."""

    name: str
    description: str
    fault: str
    """What is wrong with SAE-Bench's; empty where its row does not say."""


@dataclass(frozen=True, kw_only=True)
class MetricExplanation:
    """One score."""

    name: str
    eval_name: str
    title: str
    description: str
    gist: str = ""
    note: str = ""
    low: float | None = None
    high: float | None = None
    unit: str = ""
    direction: str
    target: float | None = None
    may_gate: bool
    margin: float | None = None
    """Half width of what counts as equivalent."""
    sd_between_seeds: float | None = None
    sd_model: str = SD_MODEL
    """The language model that the standard deviation was measured on."""
    comparable_from: str | None = None
    """The first sae-bench version that compares with later ones; `0`: any; None: equal ones."""
    is_computed_by_sae_bench: bool = False
    is_supporting: bool = False
    place: str = ""
    """In the JSON of a result; empty where others publish it."""
    accompanied_by: tuple[Beside, ...] = ()
    parts: tuple[Beside, ...] = ()
    corrected: Twin | None = None
    sae_bench: Twin | None = None
    sources: tuple[str, ...] = ()
    eval_about: dict[str, str] = field(default_factory=dict[str, str])
    """The named parts of its eval's description; a line for each paragraph."""
    known_values: tuple[KnownValue, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EvalExplanation:
    """An eval with the names of its scores."""

    name: str
    summary: str
    about: dict[str, str]
    headline: tuple[str, ...]
    """Names of the values that a run prints."""
    metrics: tuple[MetricExplanation, ...]
    """The compared ones, without what accompanies them."""
    others: tuple[str, ...]
    """Names of all other values of its results."""
    sources: tuple[str, ...]


def explain(named: Registered | NamedValue | MetricSpec) -> EvalExplanation | MetricExplanation:
    """Return the explanation of what `metric_names.resolve` returned."""
    if isinstance(named, NamedValue):
        return _of_value(named)
    return _of_published(named) if isinstance(named, MetricSpec) else _of_eval(named)


def _paragraphs(about: Mapping[str, str]) -> dict[str, str]:
    """Return the parts of a description with each paragraph, or entry of a list, as one line."""
    return {
        name: "\n".join(" ".join(part.split()) for part in _PARAGRAPH.split(_capitalised(text)))
        for name, text in about.items()
    }


def _capitalised(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _of_eval(spec: Registered) -> EvalExplanation:
    there = list(values_of_eval(spec))
    of_place = {named.value.place: named.name for named in there}
    main = [n for n in there if not n.value.suffix and not n.value.metric.is_supporting]
    in_order = sorted(main, key=lambda named: named.value.metric.rank)
    return EvalExplanation(
        name=spec.name,
        summary=spec.summary,
        about=_paragraphs(spec.about),
        headline=tuple(of_place[p] for p in headline(spec.metrics, spec.shown).values()),
        metrics=tuple(_of_value(named) for named in in_order),
        others=tuple(named.name for named in there if named not in main),
        sources=_sources(spec.about.values()),
    )


def _of_value(named: NamedValue) -> MetricExplanation:
    spec, value = named.spec, named.value
    metric, judged = value.metric, lookup(named.name)
    there = list(values_of_eval(spec))
    return MetricExplanation(
        name=named.name,
        eval_name=spec.name,
        title=value.title if value.suffix else metric.title,
        description=value.description,
        gist="" if value.suffix else metric.gist,
        note=judged.note,
        low=value.low,
        high=value.high,
        unit=judged.unit,
        direction=judged.direction,
        target=judged.target,
        may_gate=judged.may_gate,
        margin=judged.margin,
        sd_between_seeds=judged.sd_between_seeds,
        comparable_from=judged.comparable_from,
        is_computed_by_sae_bench=metric.is_sae_bench and not value.suffix,
        is_supporting=judged.is_supporting,
        place=value.place,
        accompanied_by=() if value.suffix else tuple(_accompanying(there, metric, value.name)),
        parts=() if value.suffix else tuple(
            _beside(other) for part, _ in metric.parts
            for other in there if other.value.name == part
        ),
        corrected=_twin(there, f"{CORRECTED}.{value.name}", metric),
        sae_bench=_twin(there, value.name.removeprefix(f"{CORRECTED}."), None)
        if value.category == CORRECTED else None,
        sources=_sources([metric.description, metric.note, *spec.about.values()]),
        eval_about=_paragraphs(spec.about),
        known_values=tuple(_known_values(named.name)),
    )  # fmt: skip


def _of_published(spec: MetricSpec) -> MetricExplanation:
    """Return what is known of a metric of an eval that we do not run."""
    return MetricExplanation(
        name=spec.name,
        eval_name=spec.name.partition(".")[0],
        title=spec.title,
        description="Metric of SAE-Bench's results, compared and not computed by csae-bench.",
        note=spec.note,
        unit=spec.unit,
        direction=spec.direction,
        target=spec.target,
        may_gate=spec.may_gate,
        margin=spec.margin,
        comparable_from=spec.comparable_from,
        is_computed_by_sae_bench=True,
        sources=_sources([spec.note]),
    )


def version_sentence(explanation: MetricExplanation) -> str:
    """Return which versions of sae-bench the score may be compared across; empty for all."""
    if explanation.comparable_from == ANY_VERSION:
        return ""
    if explanation.comparable_from is None:
        return "Compares only between results of one version of sae-bench."
    return f"Compares from sae-bench {explanation.comparable_from} on."


def _accompanying(there: list[NamedValue], metric: Metric, name: str) -> Iterator[Beside]:
    """Yield the nulls, intervals and the like, also where they have rows of their own."""
    for other in there:
        is_own = other.value.metric is metric and bool(other.value.suffix)
        is_row = other.value.metric.is_supporting and other.value.name.startswith(f"{name}_")
        if is_own or (is_row and other.value.name.removeprefix(f"{name}_") in _SUFFIXES):
            yield _beside(other)


_SUFFIXES = frozenset(
    {"low", "high", "null_mean", "null_highest", "adjusted", "p", "held_out", "mean", "max"}
)


def _beside(named: NamedValue) -> Beside:
    return Beside(named.name, named.value.title, named.value.description, named.value.place)


def _twin(there: list[NamedValue], name: str, faulty: Metric | None) -> Twin | None:
    """Return the value called `name`; its fault is that of the row `faulty`, or its own."""
    for other in there:
        if other.value.name == name and not other.value.suffix:
            metric = faulty or other.value.metric
            return Twin(other.name, other.value.description, metric.fault)
    return None


def _sources(texts: Iterable[str]) -> tuple[str, ...]:
    papers = (paper for text in texts for paper in _PAPER.findall(text))
    return tuple(f"{_PAPER_PAGE}{paper}" for paper in dict.fromkeys(papers))


def _known_values(name: str) -> Iterator[KnownValue]:
    for row in shipped().rows:
        if name in row.values:
            on = row.conditions.get("model") if row.model_fingerprint else None
            yield KnownValue(
                label=row.label,
                value=row.values[name],
                model=None if on is None else str(on),
                conditions={key: row.conditions[key] for key in relevant(row.conditions, name)},
            )
