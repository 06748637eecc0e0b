"""Which SAE is better at what, and how certain that is, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from csae_bench.comparison.caveats import caveats
from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Comparison, Family, Report, Verdict
from csae_bench.comparison.outputs import selection, wording
from csae_bench.comparison.outputs.best_of import Basis, Mark
from csae_bench.comparison.outputs.leaderboard import Column, Leaderboard
from csae_bench.comparison.outputs.scores import number
from csae_bench.comparison.outputs.short_names import shortened_names
from csae_bench.evals.metric_rows import Direction

MAX_PAIRS = 15
"""Pairs that have words of their own; with 6 SAEs, each with each."""
_MAX_NAMED = 4
"""SAEs that a sentence names before the rest is counted."""

Certainty = Literal["shown", "shared", "not known"]

_SAID = (Verdict.BETTER, Verdict.WORSE, Verdict.EQUIVALENT)


@dataclass(frozen=True, kw_only=True)
class PairWords:
    """One SAE against another."""

    candidate: str
    baseline: str
    n_pairs: int
    """Seeds that both have, at most, over the metrics."""
    said: tuple[tuple[Verdict, tuple[str, ...]], ...]
    """Verdict -> the metrics it holds for, with the difference."""
    n_undecided: int
    refused: tuple[tuple[Verdict, int], ...]
    """Verdicts that say why nothing was compared, and their number."""
    caveats: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TopWords:
    """Who is first on one metric."""

    eval_name: str
    title: str
    certainty: Certainty
    sentence: str


@dataclass(frozen=True, kw_only=True)
class CurveWords:
    """One sparsity curve against another, at equal L0."""

    candidate: str
    baseline: str
    sentences: tuple[str, ...]


def told(report: Report) -> list[Comparison]:
    """Select the comparisons that can say anything: where there are seeds, or a baseline.

    Without a baseline and without `--against` each SAE is compared with each, and a row of two
    SAEs with one seed each, whose spread is unknown, says no more than their values.
    """
    if report.baseline is not None or report.against is not None:
        return list(report.comparisons)
    named = {row.candidate for row in report.comparisons if row.interval is not None}
    named |= {row.baseline for row in report.comparisons if row.interval is not None}
    return [
        row
        for row in report.comparisons
        if row.interval is not None
        or (row.difference is None and {row.candidate, row.baseline} <= named)
    ]


def pairs_in_words(report: Report, rows: Iterable[Comparison]) -> tuple[PairWords, ...]:
    """Return each pair's verdicts on the metrics that say most, the decided ones first."""
    shown = set(selection.shown(report))
    releases = {family.release for row in report.comparisons for family in _both(row)}
    there = [row for row in rows if row.metric in shown and "@" not in row.metric]
    words = [
        _pair(pair, of_pair, releases, list(caveats(of_pair)))
        for pair, of_pair in selection.pairs(there).items()
    ]
    return tuple(sorted(words, key=lambda pair: -sum(len(metrics) for _, metrics in pair.said)))


def tops(board: Leaderboard) -> tuple[TopWords, ...]:
    """Return who is first on each metric of a leaderboard, and who else may be."""
    return tuple(
        _top(column, column.ranked.best, board)
        for column in board.columns
        if column.ranked.best is not None
    )


def curves_in_words(
    report: Report, boards: Iterable[Leaderboard]
) -> tuple[tuple[CurveWords, ...], str]:
    """Return how sparsity curves compare at equal L0 on the metrics of the leaderboards.

    And the part that the names of the curves share, which an ellipsis stands for.
    """
    shown = {column.metric for board in boards for column in board.columns}
    releases = {family.release for row in report.comparisons for family in _both(row)}
    by_pair: dict[tuple[Family, Family], dict[str, list[Comparison]]] = defaultdict(dict)
    for row in report.comparisons:
        metric = selection.measured(row.metric)
        if metric != row.metric and metric in shown and row.difference is not None:
            by_pair[row.candidate, row.baseline].setdefault(metric, []).append(row)
    names = [wording.family_text(family, releases) for pair in by_pair for family in pair]
    short, shared = shortened_names(names)
    words = tuple(
        CurveWords(
            candidate=short[wording.family_text(candidate, releases)],
            baseline=short[wording.family_text(baseline, releases)],
            sentences=tuple(_curve(metric, rows) for metric, rows in of_pair.items()),
        )
        for (candidate, baseline), of_pair in sorted(by_pair.items())
    )
    return words, shared


def _pair(
    pair: tuple[Family, Family],
    rows: Sequence[Comparison],
    releases: set[str],
    warned: Sequence[str],
) -> PairWords:
    rows = [row for row in rows if lookup(row.metric).direction is not Direction.NONE]
    refused = Counter(
        row.verdict for row in rows if row.verdict not in (*_SAID, Verdict.INCONCLUSIVE)
    )
    return PairWords(
        candidate=wording.family_text(pair[0], releases),
        baseline=wording.family_text(pair[1], releases),
        n_pairs=max((row.n_pairs for row in rows), default=0),
        said=tuple(
            (verdict, metrics)
            for verdict in _SAID
            if (metrics := tuple(_difference(row) for row in rows if row.verdict is verdict))
        ),
        n_undecided=sum(row.verdict is Verdict.INCONCLUSIVE for row in rows),
        refused=tuple(refused.items()),
        caveats=tuple(warned),
    )


def _difference(row: Comparison) -> str:
    return f"{_title(row.metric)} {wording.difference(row)}"


def _top(column: Column, best: int, board: Leaderboard) -> TopWords:
    ranked, names = column.ranked, board.names
    near = [place for place, mark in ranked.marks.items() if mark is Mark.NEAR]
    value = number(board.entrants[best].means[column.metric])
    first = f"{names[best]} is first with {value}"
    certainty: Certainty = "shared" if near else "shown"
    if Basis.UNKNOWN in ranked.basis:
        certainty = "not known"
        sentence = f"{first}{_next(column, board)}."
    elif near:
        sentence = f"{first}; {_listed([names[place] for place in near])} within its noise."
    else:
        sentence = f"{first}, and no other is within its noise."
    return TopWords(
        eval_name=column.eval_name, title=column.title, certainty=certainty, sentence=sentence
    )


def _next(column: Column, board: Leaderboard) -> str:
    """Return the second on a metric, where it is not known how certain the first is."""
    second = column.ranked.order[1]
    value = number(board.entrants[second].means[column.metric])
    return f", then {board.names[second]} with {value}"


def _listed(names: Sequence[str]) -> str:
    if len(names) > _MAX_NAMED:
        return f"{len(names)} others are"
    *first, last = names
    return f"{', '.join(first)} and {last} are" if first else f"{last} is"


def _curve(metric: str, rows: Sequence[Comparison]) -> str:
    gains = sorted(_gain(metric, row.difference or 0.0) for row in rows)
    n, n_up = len(gains), sum(gain > 0 for gain in gains)
    l0s = sorted(float(row.metric.rpartition("=")[2]) for row in rows)
    where = " to ".join(dict.fromkeys(number(l0) for l0 in (l0s[0], l0s[-1])))
    side = "better" if n_up == n else "worse" if n_up == 0 else f"better at {n_up} of {n} places"
    if n_up in (0, n):
        side += " at both places" if n == 2 else f" at all {n} places" if n > 1 else ""
    gain = " to ".join(dict.fromkeys(wording.signed(gain, 3) for gain in (gains[0], gains[-1])))
    return f"{_title(metric)}: {side} (L0 {where}), gain {gain}; {_certainty(rows)}"


def _gain(metric: str, difference: float) -> float:
    return difference if lookup(metric).direction is Direction.HIGHER else -difference


def _certainty(rows: Sequence[Comparison]) -> str:
    verdicts = Counter(row.verdict for row in rows)
    decided = [f"{verdict} at {verdicts[verdict]}" for verdict in _SAID if verdicts[verdict]]
    if decided:
        return f"established: {', '.join(decided)}"
    if all(row.interval is None for row in rows):
        return "not established, one seed each"
    return "not established"


def _title(metric: str) -> str:
    return lookup(selection.measured(metric)).title.removesuffix(", corrected")


def _both(row: Comparison) -> Iterator[Family]:
    yield row.candidate
    yield row.baseline
