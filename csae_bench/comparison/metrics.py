"""Properties of metrics: direction, unit, the change that counts as equal, whether they may gate.

An eval that we run, or that an installed package brings, says so itself, see `metric_rows`; of
evals that SAE-Bench alone runs, whose results are published, `METRICS` says so. `lookup` finds
either. A metric that neither knows has no direction and never gates. Values are named
`<eval>.<metric>`, see `reading.values`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import translate
from functools import cache, lru_cache, partial
from typing import NamedTuple

from csae_bench.errors import PluginError
from csae_bench.evals.metric_rows import ANY_VERSION, Direction
from csae_bench.evals.metric_values import ResultValue, compared, names_in_comparison
from csae_bench.evals.pages import metric_rows

SD_MODEL = "tiny-gemma2-it"
"""The language model that `sd_between_seeds` was measured on, taken high: the larger of
custom_sae_small's over three seeds and the upper end of the 95% interval of what custom_sae, its
twin without terms and contrastive_full have in common over three seeds each."""


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """Properties of a metric."""

    name: str
    """`core.ce_loss_score`, or a glob: `scr.*`."""
    title: str
    """Title for people."""
    direction: Direction = Direction.NONE
    target: float | None = None
    """The best value, where the direction is TARGET."""
    unit: str = ""
    """Empty for a share or a score without unit."""
    noise_floor: float | None = None
    """Difference between two SAEs, one seed each, that chance may well make; None: not measured."""
    sd_between_seeds: float | None = None
    """Standard deviation between training seeds on `SD_MODEL`, all else equal; None: unknown."""
    margin: float | None = None
    """Half width of what counts as equivalent; None: nothing does."""
    may_gate: bool = False
    """Whether a gate may fail on it without a policy that says so explicitly."""
    is_supporting: bool = False
    """Whether it accompanies a score, as a null, an end of an interval or a count does: compared
    only where a rule names it."""
    comparable_from: str | None = None
    """The first sae-bench version whose values compare with those of later ones; `0` is every
    version, None the same version only. Ours, which SAE-Bench does not measure, have `0`."""
    note: str = ""
    """Its definition, or why it does not gate; a sentence."""


class _RankedSpec(NamedTuple):
    spec: MetricSpec
    place: int
    """Among the metrics of its eval: those that say most come first."""


_LAST_BUT_ONE, _LAST = 1_000_000, 1_000_001
"""Ranks of values that accompany metrics, and of unknown metrics."""


@lru_cache(maxsize=4096)
def lookup(metric: str) -> MetricSpec:
    """Return the properties of a metric, under its name.

    An unknown metric has no direction, no margin, and may not gate. A suffix after `@` says where a
    metric was read, `core.ce_loss_score@l0=18`: such a metric has the same row, and may not gate.
    """
    measured, at, place = metric.partition("@")
    spec, of_row = _find(measured)
    if not at:
        return spec
    title = metric if of_row == _LAST else f"{spec.title} at {place}"
    return replace(spec, name=metric, title=title, may_gate=False)


def place_of(measured: str) -> int:
    """Return a metric's rank among those of its eval; unknown metrics come last."""
    return _find(measured).place


def unknown_because(eval_name: str) -> str | None:
    """Return why the rows of an eval's metrics cannot be read, a sentence; None if they can, or if
    no eval has this name."""
    return _rows_of(eval_name).problem


@lru_cache(maxsize=4096)
def _find(measured: str) -> _RankedSpec:
    rows = _rows_of(measured.partition(".")[0])
    if measured in rows.by_name:
        return rows.by_name[measured]
    spec = rows.supporting.get(measured)
    for place, (row, pattern) in enumerate(zip(METRICS, _patterns(), strict=True)):
        if spec is None and pattern.fullmatch(measured):
            row = replace(row, name=measured, title=_title(row, measured))
            return _RankedSpec(row, len(rows.by_name) + place)
    spec = spec or MetricSpec(name=measured, title=measured)
    if rows.by_name and "." in measured:
        spec = replace(spec, is_supporting=True, comparable_from=ANY_VERSION)
        return _RankedSpec(spec, _LAST_BUT_ONE)
    note = rows.problem or "Not in the registry: shown, never judged."
    return _RankedSpec(replace(spec, note=note), _LAST)


class _Rows(NamedTuple):
    by_name: Mapping[str, _RankedSpec]
    """`<eval>.<metric>` -> what its eval says of it; without what only accompanies a metric."""
    supporting: Mapping[str, MetricSpec] = {}
    """What its eval says of metrics with a row of their own that accompany others."""
    problem: str | None = None


@cache
def _rows_of(eval_name: str) -> _Rows:
    try:
        rows = metric_rows(eval_name)
    except PluginError as error:
        return _Rows({}, problem=str(error))
    if not rows:
        return _Rows({})
    return _Rows(
        {
            f"{eval_name}.{name}": _RankedSpec(_spec(f"{eval_name}.{name}", value), place)
            for place, (name, value) in enumerate(compared(rows).items())
        },
        supporting={
            f"{eval_name}.{name}": _spec(f"{eval_name}.{name}", value)
            for name, value in names_in_comparison(rows).items()
            if value.metric.is_supporting and not value.suffix
        },
    )


def _spec(name: str, value: ResultValue) -> MetricSpec:
    metric = value.metric
    spec = MetricSpec(
        name=name,
        title=metric.title,
        direction=metric.direction,
        target=metric.target,
        unit=metric.unit,
        sd_between_seeds=metric.sd_between_seeds,
        margin=None if metric.direction is Direction.NONE else metric.margin,
        may_gate=metric.may_gate,
        comparable_from=metric.comparable_from,
        note=metric.note,
    )
    if not value.suffix:
        return spec
    return replace(spec, title=value.title, sd_between_seeds=None, may_gate=False, note="")


_SHARE = 0.01
"""Margin of shares and scores from 0 to 1."""
_UNRELIABLE = (
    "Informs and does not gate: it does not separate good SAEs from bad ones reliably "
    "(arXiv:2605.18229)."
)
_TENFOLD = "Its values changed tenfold between versions of SAE-Bench. A dead SAE scores 0."


def _row(
    direction: Direction,
    name: str,
    title: str,
    *,
    target: float | None = None,
    comparable_from: str | None = ANY_VERSION,
    gates: bool = True,
    margin: float | None = _SHARE,
    unit: str = "",
    note: str = "",
) -> MetricSpec:
    return MetricSpec(
        name=name,
        title=title,
        direction=direction,
        target=target,
        unit=unit,
        margin=margin,
        may_gate=gates,
        comparable_from=comparable_from,
        note=note,
    )


_higher = partial(_row, Direction.HIGHER)
_lower = partial(_row, Direction.LOWER)
_near = partial(_row, Direction.TARGET, gates=False)
_plain = partial(_row, Direction.NONE, gates=False, margin=None)

METRICS: tuple[MetricSpec, ...] = (
    _lower("absorption*.mean_absorption_score", "Absorption",
           comparable_from=None, note=_TENFOLD),
    _higher("sparse_probing*.sae_top_*_test_*", "Sparse probing", comparable_from=None),
    _higher("sparse_probing*.sae_test_*", "Probe on all latents", comparable_from=None),
    _plain("sparse_probing*.llm_*", "Probe on activations", comparable_from=None,
           note="Describes the language model, not the SAE."),
    _higher("scr.scr_metric_threshold_*", "SCR", comparable_from=None, gates=False,
            note=_UNRELIABLE),
    _higher("tpp.tpp_threshold_*_total_metric", "TPP", comparable_from=None, gates=False,
            note=_UNRELIABLE),
)  # fmt: skip
"""The metrics of SAE-Bench's evals that we do not run, of each eval those that say most first, and
names in others' results of those that we do. The row of a metric is the first whose name or glob
fits."""


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(translate(spec.name)) for spec in METRICS)


def _title(spec: MetricSpec, metric: str) -> str:
    """Return the row's title, with the number of latents if several; or the metric's name."""
    if not spec.title:
        return metric
    n_latents = re.search(r"_(?:threshold|top)_(\d+)", metric)
    score = re.search(r"_test_(auc|f1)$", metric)
    parts = [f"top {n_latents[1]}"] if n_latents else []
    return ", ".join([spec.title, *parts, *([score[1].upper()] if score else [])])
