"""The HTML page of a report, made from its template."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from csae_bench import pages
from csae_bench.comparison.model import Report
from csae_bench.comparison.outputs import selection, wording
from csae_bench.comparison.outputs.conclusions import (
    MAX_PAIRS,
    curves_in_words,
    pairs_in_words,
    told,
    tops,
)
from csae_bench.comparison.outputs.figures import forests, paretos
from csae_bench.comparison.outputs.gaps import gaps
from csae_bench.comparison.outputs.html import measured, notes, tables
from csae_bench.comparison.outputs.html.drawing import draw_forest, draw_pareto, legend
from csae_bench.comparison.outputs.html.live_state import LiveState
from csae_bench.comparison.outputs.html.sae_cards import drawn_cards
from csae_bench.comparison.outputs.leaderboard import Leaderboard, leaderboards
from csae_bench.comparison.outputs.overview import (
    Conclusion,
    broken_files,
    changed_configurations,
    gate_findings,
    outcome,
    stamp,
    verdict_counts,
)
from csae_bench.comparison.outputs.sae_cards import MAX_CARDS, cards_of, n_saes
from csae_bench.comparison.outputs.saving import written
from csae_bench.comparison.outputs.troubles import troubles, uncounted

_LIVE_BEGINS, _LIVE_ENDS = '<aside id="live"', "</aside>"

MAX_LISTED = 200
"""Files, warnings and mismatches that are listed before the rest is counted."""


def write_html(report: Report, path: Path) -> None:
    """Write the page atomically: `path` then holds either the whole old or the whole new file.

    Raises:
        UsageError: it cannot be written there.
    """
    with written(path) as temporary:
        _write(html_page(report, folder=path.parent), temporary)


def write_page(page: str, path: Path) -> None:
    """Write a page that is drawn already, in the same way.

    Raises:
        UsageError: it cannot be written there.
    """
    with written(path) as temporary:
        _write(page, temporary)


def with_state(page: str, live: LiveState) -> str:
    """Return the page of a run that is not done, with another state of the run."""
    before, rest = page.split(_LIVE_BEGINS, 1)
    _, after = rest.split(_LIVE_ENDS, 1)
    state = pages.render("comparison/outputs/html/parts/live.html", live=live)
    return f"{before}{state.rstrip()}{after}"


def _write(page: str, temporary: Path) -> None:
    # a name may hold half a surrogate pair: as \udc80 it reads back in the data's JSON
    temporary.write_text(page, encoding="utf-8", errors="backslashreplace")


def html_page(report: Report, *, folder: Path | None = None, live: LiveState | None = None) -> str:
    """Return the page. All text is escaped, and nothing is loaded from elsewhere.

    Args:
        folder: where the page will lie, for links to other pages; None: it has none.
        live: how far the run is that the results are of; None: it is done.
    """
    releases = _releases(report)
    cards = cards_of(report.candidate)
    boards = leaderboards(report)
    conclusion = _heading(report)
    level = f"{1 - report.alpha:.0%}"
    sides = [side for side in (report.candidate, report.baseline) if side is not None]
    return pages.render(
        "comparison/outputs/html/report.html",
        title=f"csae-bench: {conclusion.word}",
        live=live,
        counted=wording.counted,
        report=report,
        roots=[os.fspath(side.root) for side in sides],
        releases=sorted(releases),
        outcome=conclusion,
        stamp=stamp(report),
        level=level,
        symbols=wording.SYMBOLS,
        max_listed=MAX_LISTED,
        troubles=troubles(report),
        broken=broken_files(report),
        gaps=gaps(report, cards),
        counts_read=notes.counts_read(report),
        findings=gate_findings(report),
        boards=boards,
        board_notes=lambda board: notes.board_notes(board, level),
        **_words(report, boards),
        **_figures(report, releases),
        cards=drawn_cards(cards, report, folder),
        n_more_cards=max(0, n_saes(report.candidate) - MAX_CARDS),
        versions=notes.versions_of(cards),
        conditions=measured.conditions(report),
        mismatches=measured.mismatches(report),
        ignored=uncounted(report),
        data={
            "symbols": {verdict.value: symbol for verdict, symbol in wording.SYMBOLS.items()},
            "comparisons": tables.comparison_table(report, told(report), releases),
            "values": tables.value_table(report, releases),
            "runs": tables.run_table(report, releases),
        },
    )


def _words(report: Report, boards: Sequence[Leaderboard]) -> dict[str, Any]:
    """Return what the page says in words of who is better."""
    firsts = [top for board in boards for top in tops(board)]
    pairs = pairs_in_words(report, told(report))
    # said with their pairs, and not again among the warnings
    said = {caveat for pair in pairs[:MAX_PAIRS] for caveat in pair.caveats}
    curves, shared = curves_in_words(report, boards)
    return {
        "tops": firsts,
        "not_known": bool(firsts) and all(top.certainty == "not known" for top in firsts),
        "pair_words": pairs,
        "max_pairs": MAX_PAIRS,
        "curve_words": curves,
        "shared_by_curves": shared,
        "warnings": [warning for warning in report.warnings if warning not in said],
    }


def _figures(report: Report, releases: set[str]) -> dict[str, Any]:
    """Return the curves, and the comparisons that have something to show."""
    shown, rows = set(selection.shown(report)), told(report)
    telling = [row for row in rows if row.metric in shown]
    # one mark says nothing that the SAE's card does not
    figures = paretos(report) if n_saes(report.candidate) > 1 or report.baseline else ()
    figures, one_l0 = notes.with_curves(figures)
    entries = legend(figures)
    differences = forests(sorted(telling, key=lambda row: selection.rank(row.metric)))
    return {
        "paretos": [draw_pareto(figure, entries) for figure in figures],
        "one_l0": one_l0,
        "legend": entries,
        "forests": [draw_forest(figure, releases) for figure in differences],
        "counts": verdict_counts(telling),
        "n_told": len(rows),
        "n_untold": len(report.comparisons) - len(rows),
        "changed": sorted(changed_configurations(report).items()),
    }


def _heading(report: Report) -> Conclusion:
    """Return the verdict on the whole; where no rule judged, what there is to read."""
    conclusion = outcome(report)
    if report.findings or conclusion.level != "neutral":
        return conclusion
    word, sentence = notes.what_there_is(report)
    is_bad = bool(troubles(report) or broken_files(report))
    return conclusion._replace(word=word, sentence=conclusion.sentence if is_bad else sentence)


def _releases(report: Report) -> set[str]:
    sides = [side for side in (report.candidate, report.baseline) if side is not None]
    return {item.family.release for side in sides for item in (*side.readings, *side.runs)}
