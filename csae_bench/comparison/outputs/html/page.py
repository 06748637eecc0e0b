"""The HTML page of a report, made from its template."""

from __future__ import annotations

import os
from pathlib import Path

from csae_bench import pages
from csae_bench.comparison.model import Report
from csae_bench.comparison.outputs import selection, wording
from csae_bench.comparison.outputs.figures import forests, paretos
from csae_bench.comparison.outputs.html import measured, tables
from csae_bench.comparison.outputs.html.drawing import (
    draw_forest,
    draw_pareto,
    draw_standings,
    legend,
)
from csae_bench.comparison.outputs.html.sae_cards import drawn_cards
from csae_bench.comparison.outputs.overview import (
    Conclusion,
    broken_files,
    changed_configurations,
    gate_findings,
    outcome,
    stamp,
    verdict_counts,
)
from csae_bench.comparison.outputs.sae_cards import MAX_CARDS, n_saes
from csae_bench.comparison.outputs.saving import written
from csae_bench.comparison.outputs.standings import standings
from csae_bench.comparison.outputs.troubles import troubles, uncounted

MAX_LISTED = 200
"""Files, warnings and mismatches that are listed before the rest is counted."""


def write_html(report: Report, path: Path) -> None:
    """Write the page atomically: `path` then holds either the whole old or the whole new file.

    Raises:
        UsageError: it cannot be written there.
    """
    with written(path) as temporary:
        # a name may hold half a surrogate pair: as \udc80 it reads back in the data's JSON
        page = html_page(report, folder=path.parent)
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")


def html_page(report: Report, *, folder: Path | None = None) -> str:
    """Return the page. All text is escaped, and nothing is loaded from elsewhere.

    Args:
        folder: where the page will lie, for links to other pages; None: it has none.
    """
    releases = _releases(report)
    shown = set(selection.shown(report))
    rows = [row for row in report.comparisons if row.metric in shown]
    # one mark says nothing that the SAE's card does not
    figures = paretos(report) if n_saes(report.candidate) > 1 or report.baseline else ()
    entries = legend(figures)
    differences = forests(sorted(rows, key=lambda row: selection.rank(row.metric)))
    drawn = {figure.metric for figure in (*figures, *differences)}
    sides = [side for side in (report.candidate, report.baseline) if side is not None]
    conclusion = _heading(report)
    return pages.render(
        "comparison/outputs/html/report.html",
        title=f"csae-bench compare: {conclusion.word}",
        counted=wording.counted,
        report=report,
        roots=[os.fspath(side.root) for side in sides],
        releases=sorted(releases),
        outcome=conclusion,
        stamp=stamp(report),
        level=f"{1 - report.alpha:.0%}",
        troubles=troubles(report),
        cards=drawn_cards(report, folder),
        n_more_cards=max(0, n_saes(report.candidate) - MAX_CARDS),
        counts=verdict_counts(rows),
        symbols=wording.SYMBOLS,
        forests=[draw_forest(figure, releases) for figure in differences],
        paretos=[draw_pareto(figure, entries) for figure in figures],
        legend=entries,
        standings=[draw_standings(figure) for figure in standings(report, drawn)],
        changed=sorted(changed_configurations(report).items()),
        conditions=measured.conditions(report),
        mismatches=measured.mismatches(report),
        findings=gate_findings(report),
        broken=broken_files(report),
        ignored=uncounted(report),
        max_listed=MAX_LISTED,
        data={
            "symbols": {verdict.value: symbol for verdict, symbol in wording.SYMBOLS.items()},
            "comparisons": tables.comparison_table(report, releases),
            "values": tables.value_table(report, releases),
            "runs": tables.run_table(report, releases),
        },
    )


def _heading(report: Report) -> Conclusion:
    """Return the verdict on the whole; where nothing was compared, what there is to read."""
    conclusion, n = outcome(report), n_saes(report.candidate)
    if report.comparisons or report.findings or not n or conclusion.level != "neutral":
        return conclusion
    word = "Results of one SAE" if n == 1 else f"Results of {n} SAEs"
    if n > 1 or troubles(report) or broken_files(report):
        return conclusion._replace(word=word)
    sentence = "There is no other SAE in this folder yet to compare it with."
    return conclusion._replace(word=word, sentence=sentence)


def _releases(report: Report) -> set[str]:
    sides = [side for side in (report.candidate, report.baseline) if side is not None]
    return {item.family.release for side in sides for item in (*side.readings, *side.runs)}
