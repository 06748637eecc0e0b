"""A report on the terminal: what went wrong first, then verdicts with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from csae_bench.compare.metrics import lookup
from csae_bench.compare.model import Comparison, Family, Judgement, Report, ResultSet, Verdict
from csae_bench.compare.outputs import selection, wording
from csae_bench.compare.outputs.overview import (
    broken_files,
    changed_configurations,
    gate_findings,
    outcome,
    stamp,
    verdict_counts,
)
from csae_bench.compare.outputs.troubles import troubles
from csae_bench.compare.outputs.values import FamilyValue, family_values

_VERDICT_STYLES = {
    Verdict.BETTER: "blue",
    Verdict.WORSE: "bold yellow",
    Verdict.EQUIVALENT: "cyan",
    Verdict.INCONCLUSIVE: "dim",
    Verdict.INCOMPARABLE: "magenta",
    Verdict.INVALID: "bold red",
    Verdict.MISSING: "bold red",
}
_JUDGEMENT_STYLES = {
    Judgement.PASSED: "dim",
    Judgement.WARNED: "yellow",
    Judgement.REGRESSED: "bold red",
    Judgement.INCOMPARABLE: "magenta",
    Judgement.FAILED: "bold red",
    Judgement.MISSING: "bold red",
}
_LEVEL_STYLES = {"good": "bold green", "bad": "bold red", "neutral": "bold"}
MAX_LISTED = 20
"""Pairs, families and files that are listed before the rest is counted."""
WIDE = 100
"""Columns from which the baseline's mean and the smallest detectable difference are shown."""
MORE = "--json and --html have all."


def print_report(report: Report, console: Console) -> None:
    """Failed and invalid runs with their errors, the gate, verdicts or values, warnings, files."""
    _print_stamp(report, console)
    _print_troubles(report, console)
    _print_findings(report, console)
    if report.comparisons:
        _print_comparisons(report, console)
    else:
        _print_values(report, console)
    _print_broken(report, console)
    for warning in report.warnings:
        console.print(f"[yellow]warning:[/] {escape(warning)}")
    _print_stamp(report, console)
    verdict = outcome(report)
    console.print(f"[{_LEVEL_STYLES[verdict.level]}]{verdict.word}:[/] {escape(verdict.sentence)}")


def _print_stamp(report: Report, console: Console) -> None:
    text = stamp(report)
    if text is not None:
        console.print(f"[reverse] {escape(text)} [/]")


def _print_troubles(report: Report, console: Console) -> None:
    for trouble in troubles(report):
        where = "" if trouble.side == "candidate" else "baseline: "
        name = escape(f"{where}{trouble.release} {trouble.sae_id}")
        console.print(f"[bold red]{trouble.status}[/] [bold]{name}[/]")
        for problem in trouble.problems:
            console.print(f"  {escape(problem)}")


def _print_findings(report: Report, console: Console) -> None:
    findings = gate_findings(report)
    if not findings:
        return
    table = _table("rule", "gate", "")
    for finding in findings:
        table.add_row(
            escape(finding.rule),
            f"[{_JUDGEMENT_STYLES[finding.judgement]}]{finding.judgement}[/]",
            escape(finding.message),
        )
    console.print(table)


def _print_comparisons(report: Report, console: Console) -> None:
    shown = set(selection.shown(report))
    by_pair = selection.pairs(report.comparisons)
    release = None
    for (candidate, baseline), comparisons in list(by_pair.items())[:MAX_LISTED]:
        if candidate.release != release:
            release = candidate.release
            console.print(f"\n[bold]{escape(release)}[/]")
            _print_changes(release, report, console)
        against = wording.family_text(baseline, {candidate.release})
        console.print(f"{escape(candidate.name)} [dim]against[/] {escape(against)}", end="")
        if all(comparison.difference is None for comparison in comparisons):
            _print_undecided(comparisons, console)
        else:
            console.print()
            _print_pair(comparisons, shown, report, console)
    if len(by_pair) > MAX_LISTED:
        rest = wording.counted(len(by_pair) - MAX_LISTED, "more pair of SAEs", "more pairs of SAEs")
        console.print(f"[dim]{rest}; {MORE}[/]")
    hidden = len({c.metric for c in report.comparisons}) - len(shown)
    if hidden:
        console.print(f"[dim]{wording.counted(hidden, 'more metric')} compared; {MORE}[/]")
    counts = verdict_counts(c for c in report.comparisons if c.metric in shown)
    console.print(
        "of those shown: "
        + ", ".join(
            f"[{_VERDICT_STYLES[verdict]}]{n} {verdict}[/]" for verdict, n in counts.items()
        )
    )


def _print_changes(release: str, report: Report, console: Console) -> None:
    changed = changed_configurations(report)
    for family in sorted(family for family in changed if family.release == release):
        console.print(f"[dim]{escape(family.name)}: {escape(', '.join(changed[family]))}[/]")


def _print_pair(
    comparisons: Sequence[Comparison], shown: set[str], report: Report, console: Console
) -> None:
    is_wide = console.width >= WIDE
    table = _table("metric")
    table.add_column("candidate", justify="right", no_wrap=True)
    if is_wide:
        table.add_column("baseline", justify="right", no_wrap=True)
    table.add_column(f"difference [{1 - report.alpha:.0%}]", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("Holm p", justify="right", no_wrap=True)
    if is_wide:
        table.add_column("detectable", justify="right", no_wrap=True)
    for row in selection.telling(comparisons, shown):
        cells = [
            escape(lookup(row.metric).title),
            wording.number(row.candidate_mean),
            wording.number(row.baseline_mean),
            wording.difference(row),
            f"[{_VERDICT_STYLES[row.verdict]}]{row.verdict}[/]",
            str(row.n_pairs),
            wording.p_text(row.p_holm),
            wording.detectable(row),
        ]
        table.add_row(*(cells if is_wide else [*cells[:2], *cells[3:-1]]))
    console.print(table)
    for note in selection.undecided_reasons(comparisons, shown):
        console.print(f"  [dim]{escape(note)}[/]")


def _print_undecided(comparisons: Sequence[Comparison], console: Console) -> None:
    """A pair of which no metric has a difference: why, instead of an empty table."""
    counts = verdict_counts(comparisons)
    said = ", ".join(f"[{_VERDICT_STYLES[verdict]}]{verdict}[/]" for verdict in counts)
    console.print(f": {said} on {'every metric' if len(counts) == 1 else 'all metrics'}")
    # why an SAE is invalid stands above
    reasons = (c.reasons for c in comparisons if c.verdict is not Verdict.INVALID)
    for note in list(dict.fromkeys(chain.from_iterable(reasons)))[:MAX_LISTED]:
        console.print(f"  [dim]{escape(note)}[/]")


def _print_values(report: Report, console: Console) -> None:
    """Where nothing is compared: what each family scored."""
    for results in (report.candidate, report.baseline):
        if results is not None:
            _print_values_of(results, report.alpha, console)


def _print_values_of(results: ResultSet, alpha: float, console: Console) -> None:
    values = family_values(results, alpha)
    shown = selection.headlines(metric for of_family in values.values() for metric in of_family)
    by_release: dict[str, list[Family]] = {}
    for family in values:
        by_release.setdefault(family.release, []).append(family)
    for release, families in by_release.items():
        console.print(f"\n[bold]{escape(release)}[/]  [dim]means [{1 - alpha:.0%} t interval][/]")
        if len(families) == 1:
            console.print(escape(families[0].name))
        table = _table(*([] if len(families) == 1 else ["SAE"]), "metric", "value", "n")
        for column in table.columns[-2:]:
            column.justify = "right"
        for family in families[:MAX_LISTED]:
            _add_values(table, family, values[family], shown, is_alone=len(families) == 1)
        console.print(table)
        if len(families) > MAX_LISTED:
            rest = wording.counted(len(families) - MAX_LISTED, "more SAE")
            console.print(f"[dim]{rest}; {MORE}[/]")
    hidden = len({metric for of_family in values.values() for metric in of_family}) - len(shown)
    if hidden > 0:
        console.print(f"[dim]{wording.counted(hidden, 'more metric')}; {MORE}[/]")


def _add_values(
    table: Table,
    family: Family,
    values: dict[str, FamilyValue],
    shown: Iterable[str],
    *,
    is_alone: bool,
) -> None:
    name = escape(family.name)
    for metric in shown:
        value = values.get(metric)
        if value is None:
            continue
        text = wording.mean_text(value.mean, value.interval)
        cells = [escape(lookup(metric).title), escape(text), str(value.n)]
        table.add_row(*([] if is_alone else [name]), *cells)
        name = ""


def _print_broken(report: Report, console: Console) -> None:
    broken = broken_files(report)
    for file in broken[:MAX_LISTED]:
        console.print(f"[yellow]not read:[/] {escape(str(file.path))}: {escape(file.why)}")
    if len(broken) > MAX_LISTED:
        rest = wording.counted(len(broken) - MAX_LISTED, "more file", "more files")
        console.print(f"[yellow]not read:[/] {rest}; {MORE}")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column)
    return table
