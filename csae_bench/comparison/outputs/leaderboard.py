"""The leaderboard: SAEs as rows, the headline of each eval as columns, the best of each marked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from csae_bench.comparison.matching import Member
from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Reading, Report
from csae_bench.comparison.outputs import selection
from csae_bench.comparison.outputs.best_of import (
    Basis,
    Entrant,
    Mark,
    Ranked,
    distance,
    own_interval,
    rank_all,
)
from csae_bench.comparison.outputs.contenders import (
    Contender,
    contenders_of,
    subject_of,
    subject_of_member,
    why_no_value,
)
from csae_bench.comparison.outputs.figures import L0, PARETO_OF_CORE
from csae_bench.comparison.outputs.scores import number
from csae_bench.comparison.outputs.short_names import shortened_names
from csae_bench.comparison.outputs.wording import counted, family_text
from csae_bench.comparison.yardsticks import yardsticks_of
from csae_bench.evals.metric_rows import Direction


@dataclass(frozen=True, kw_only=True)
class Column:
    """One metric."""

    metric: str
    eval_name: str
    title: str
    direction: Direction
    ranked: Ranked


@dataclass(frozen=True, kw_only=True)
class ScoreCell:
    """One score."""

    text: str = ""
    """Empty without a value."""
    spread: str = ""
    """Its interval: of the mean over seeds, or the eval's own."""
    sort: float | None = None
    mark: Mark = Mark.NONE
    why: str = ""
    """Why there is no value, or why it takes no part."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One SAE."""

    name: str
    """Without the part that all names share."""
    full_name: str
    about: str
    """Its kind if not trained, its side, how flags changed it unlike the others, its seeds."""
    status: str
    """invalid or failed, if every one of its seeds is; else empty."""
    l0: ScoreCell
    cells: tuple[ScoreCell, ...]


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """SAEs of one model and hook."""

    subject: str
    """The model and where in it."""
    shared: str
    """The part that all names share, which an ellipsis stands for; empty if none."""
    names: tuple[str, ...]
    """Names of the entrants, as the rows have them."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    """SAEs that take part, the best of the first column first."""
    references: tuple[Row, ...]
    """Ceilings, yardsticks and controls, which take no part."""
    entrants: tuple[Entrant, ...]
    """Those of `rows`, in the order of the places in `Ranked`."""
    n_variants: int
    """Results under further conditions, which have no row."""

    @property
    def basis(self) -> frozenset[Basis]:
        """What the marks of all columns rest on."""
        return frozenset(chain.from_iterable(column.ranked.basis for column in self.columns))

    @property
    def has_spread(self) -> bool:
        """Whether any cell has an interval."""
        return any(cell.spread for row in (*self.rows, *self.references) for cell in row.cells)


def leaderboards(report: Report) -> tuple[Leaderboard, ...]:
    """Return a leaderboard for each model and hook, the one with most SAEs first."""
    by_subject: dict[str, list[Contender]] = defaultdict(list)
    n_variants: Counter[str] = Counter()
    for side, is_baseline in ((report.candidate, False), (report.baseline, True)):
        if side is None:
            continue
        for contender in contenders_of(side, report.alpha, is_baseline=is_baseline):
            subject = subject_of_member(contender.entrant.member)
            by_subject[subject].append(contender)
        for reading in side.readings:
            n_variants[subject_of(reading.conditions)] += bool(reading.family.variant)
    unknown = by_subject.pop("", []) if len(by_subject) > 1 else []
    ordered = sorted(by_subject.items(), key=lambda item: -len(item[1]))
    if ordered:  # a run that failed before its eval has no conditions
        ordered[0][1].extend(unknown)
    return tuple(_board(subject, group, report, n_variants[subject]) for subject, group in ordered)


def _board(
    subject: str, contenders: Sequence[Contender], report: Report, n_variants: int
) -> Leaderboard:
    racing = [c for c in contenders if c.kind == "trained"]
    metrics = _columns(report, contenders)
    ranked = rank_all([c.entrant for c in racing], metrics, report.alpha)
    columns = tuple(_column(metric, ranked[metric]) for metric in metrics)
    full = [_full_name(c.entrant, report) for c in contenders]
    short, shared = shortened_names(full)
    common = set[str].intersection(*(set(_changes(c)) for c in racing)) if racing[1:] else set()
    rows = [_row(c, i, columns, short, common, report) for i, c in enumerate(racing)]
    others = (c for c in contenders if c.kind != "trained")
    nobody = [_row(c, None, columns, short, common, report) for c in others]
    shipped = _shipped([c.entrant.member for c in contenders], columns)
    return Leaderboard(
        subject=subject,
        shared=shared,
        names=tuple(
            f"{row.name} (baseline)" if c.entrant.is_baseline else row.name
            for c, row in zip(racing, rows, strict=True)
        ),
        columns=columns,
        rows=tuple(sorted(rows, key=lambda row: _place(row, columns))),
        references=(*nobody, *shipped),
        entrants=tuple(c.entrant for c in racing),
        n_variants=n_variants,
    )


def _columns(report: Report, contenders: Sequence[Contender]) -> list[str]:
    """Return core's two, and the first score of every other eval; or those of --metrics."""
    there = selection.chosen(report, chain.from_iterable(c.values for c in contenders))
    if report.shown_metrics:
        return [metric for metric in there if metric != L0]
    first: dict[str, str] = {}
    for metric in there:
        if lookup(metric).direction is not Direction.NONE:
            first.setdefault(metric.partition(".")[0], metric)
    core = [next((m for m in names if m in there), None) for names in PARETO_OF_CORE]
    first.pop("core", None)
    return [*(metric for metric in core if metric is not None), *first.values()]


def _column(metric: str, ranked: Ranked) -> Column:
    spec = lookup(metric)
    return Column(
        metric=metric,
        eval_name=metric.partition(".")[0],
        title=spec.title.removesuffix(", corrected"),
        direction=spec.direction,
        ranked=ranked,
    )


def _row(
    contender: Contender,
    place: int | None,
    columns: Sequence[Column],
    short: Mapping[str, str],
    common: Collection[str],
    report: Report,
) -> Row:
    entrant = contender.entrant
    name, n_seeds = _full_name(entrant, report), len(entrant.member.seeds)
    about = [
        "" if contender.kind == "trained" else contender.kind,
        "baseline" if entrant.is_baseline else "",
        *(change for change in _changes(contender) if change not in common),
        counted(n_seeds, "seed") if n_seeds > 1 else "",
    ]
    return Row(
        name=short[name],
        full_name=name,
        about=", ".join(part for part in about if part),
        status=contender.status,
        l0=_cell(contender, L0, Mark.NONE, ""),
        cells=tuple(
            _cell(
                contender,
                column.metric,
                Mark.NONE if place is None else column.ranked.marks.get(place, Mark.NONE),
                "" if place is None else column.ranked.why.get(place, ""),
            )
            for column in columns
        ),
    )


def _cell(contender: Contender, metric: str, mark: Mark, why: str) -> ScoreCell:
    value = contender.values.get(metric)
    if value is None:
        return ScoreCell(why=why_no_value(contender, metric))
    spread = ""
    if value.interval is not None:
        spread = f"±{number((value.interval.high - value.interval.low) / 2)}"
    elif (ends := own_interval(contender.entrant.member, metric)) is not None:
        spread = f"{number(ends[0])} to {number(ends[1])}"
    return ScoreCell(text=number(value.mean), spread=spread, sort=value.mean, mark=mark, why=why)


def _place(row: Row, columns: Sequence[Column]) -> tuple[bool, float, str]:
    """Return a key that sorts rows by the first column, the best first; those without it last."""
    first = row.cells[0].sort if columns else None
    if first is None:
        return True, 0.0, row.name
    return False, distance(columns[0].metric, first), row.name


def _shipped(of: Sequence[Member], columns: Sequence[Column]) -> Iterator[Row]:
    """Yield a row for each yardstick of this package that belongs to these results."""
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for metric in (column.metric for column in columns):
        for reading in _readings(of, metric):
            for label, value in yardsticks_of(reading, metric):
                values[label].setdefault(metric, value)
    for label, of_label in values.items():
        cells = (of_label.get(column.metric) for column in columns)
        yield Row(
            name=label,
            full_name=label,
            about="yardstick, shipped",
            status="",
            l0=ScoreCell(),
            cells=tuple(
                ScoreCell() if value is None else ScoreCell(text=number(value), sort=value)
                for value in cells
            ),
        )


def _readings(of: Sequence[Member], metric: str) -> Iterator[Reading]:
    """Yield a result of each of the first SAEs with the metric; all have mostly equal settings."""
    there = [member for member in of if metric in member.metrics]
    for member in there[:1]:
        yield from list(member.of_metric(metric).values())[:1]


def _changes(contender: Contender) -> tuple[str, ...]:
    runs = contender.entrant.member.runs
    return tuple(dict.fromkeys(change for run in runs for change in run.changes))


def _full_name(entrant: Entrant, report: Report) -> str:
    sides = (report.candidate, report.baseline)
    releases = {r.family.release for side in sides if side for r in (*side.readings, *side.runs)}
    return family_text(entrant.member.family, releases)
