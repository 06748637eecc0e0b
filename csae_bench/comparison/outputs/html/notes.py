"""Sentences of the page: how the leaderboard is marked, what was read, with which versions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from csae_bench.comparison.model import Family, Report
from csae_bench.comparison.outputs.best_of import Basis, Mark
from csae_bench.comparison.outputs.figures import Pareto
from csae_bench.comparison.outputs.leaderboard import Leaderboard
from csae_bench.comparison.outputs.sae_cards import Card, n_saes
from csae_bench.comparison.outputs.scores import number
from csae_bench.comparison.outputs.wording import counted

_SAME_L0 = 1.05
"""Ratio of the largest L0 to the smallest up to which a figure has no curve to show."""


def board_notes(board: Leaderboard, level: str) -> list[str]:
    """Return how a leaderboard's marks and intervals are to be read.

    Args:
        level: of the intervals, `95%`.
    """
    marks = {cell.mark for row in board.rows for cell in row.cells}
    notes: list[str] = []
    if board.basis & {Basis.TEST, Basis.INTERVALS}:
        notes.append(f"★ best of its column; ≈ within the noise of the best{_how(board, level)}.")
        notes.append(
            "An SAE without a mark is not yet shown to be worse: verdicts, which are corrected for "
            "the number of comparisons, follow below."
        )
    if Mark.FIRST in marks:
        notes.append(
            "☆ first of its column, where how much chance decides is not known: one result each, "
            "and neither seeds nor an interval of the eval."
        )
    if Mark.APART in marks:
        notes.append("≠ measured under other conditions than most, and takes no part.")
    if board.has_spread:
        notes.append(
            f"Small numbers: ± half of the {level} interval of the mean over seeds, or the eval's "
            "own 95% interval (over its samples, not over trainings)."
        )
    if board.shared:
        notes.append(f"\u2026 stands for {board.shared}, which all names share.")
    if board.n_variants:
        notes.append(
            f"{counted(board.n_variants, 'result')} under further conditions "
            f"{'is' if board.n_variants == 1 else 'are'} in the table of all values."
        )
    return notes


def counts_read(report: Report) -> str:
    """Return `60 results of 12 SAEs and 5 evals`."""
    readings = report.candidate.readings
    n_evals = len({reading.eval_name for reading in readings})
    return (
        f"{counted(len(readings), 'result')} of {counted(n_saes(report.candidate), 'SAE')} and "
        f"{counted(n_evals, 'eval')}"
    )


def what_there_is(report: Report) -> tuple[str, str]:
    """Return a title and a sentence for results on which no rule has judged."""
    by_family: dict[Family, set[str]] = defaultdict(set)
    for one in (*report.candidate.readings, *report.candidate.runs):
        by_family[one.family.first].add(one.sae_id)
    if not by_family:
        return "No results yet", ""
    n, seeds = len(by_family), sorted({len(sae_ids) for sae_ids in by_family.values()})
    title = f"Results of {counted(n, 'SAE')}"
    if n == 1 and seeds == [1]:
        return title, "There is no other SAE in this folder yet to compare it with."
    evals = counted(len({r.eval_name for r in report.candidate.readings}), "eval")
    each = " to ".join(dict.fromkeys(str(n_seeds) for n_seeds in (seeds[0], seeds[-1])))
    return title, f"{each} training seed{'' if each == '1' else 's'} of each; {evals}."


def with_curves(figures: Sequence[Pareto]) -> tuple[tuple[Pareto, ...], str]:
    """Select the figures whose SAEs differ in L0; if none does, the L0 that all have."""
    spread: list[Pareto] = []
    l0s: list[float] = []
    for figure in figures:
        of_figure = [point.l0 for curve in figure.curves for point in curve.points]
        l0s += of_figure
        if max(of_figure) > _SAME_L0 * min(of_figure):
            spread.append(figure)
    one = number(sum(l0s) / len(l0s)) if l0s and not spread else ""
    return tuple(spread), one


def versions_of(cards: Iterable[Card]) -> list[tuple[str, str]]:
    """Return each package with the versions that ran, the most frequent first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for card in cards:
        for name, version in card.versions.items():
            counts[name][version] += 1
    return [
        (name.replace("_", "-"), ", ".join(version for version, _ in of_name.most_common()))
        for name, of_name in sorted(counts.items())
    ]


def _how(board: Leaderboard, level: str) -> str:
    how: list[str] = []
    if Basis.TEST in board.basis:
        how.append(
            f"the {level} interval of the difference, paired by training seed or from the known "
            "spread between seeds, holds 0 or lies within the metric's margin, or the eval's own "
            "seeds make as large a difference"
        )
    if Basis.INTERVALS in board.basis:
        how.append("where nothing is known of training seeds, the evals' own 95% intervals overlap")
    return f": {'; '.join(how)}"
