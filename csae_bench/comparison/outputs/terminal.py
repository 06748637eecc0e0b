"""A report on the terminal: what went wrong first, then verdicts with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from rich import markup
from rich.console import Console
from rich.table import Table

from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Comparison, Family, Judgement, Report, ResultSet, Verdict
from csae_bench.comparison.outputs import selection, wording
from csae_bench.comparison.outputs.in_words import comparison_in_words
from csae_bench.comparison.outputs.overview import (
    broken_files,
    changed_configurations,
    gate_findings,
    outcome,
    stamp,
    verdict_counts,
)
from csae_bench.comparison.outputs.troubles import troubles, uncounted
from csae_bench.comparison.outputs.values import FamilyValue, family_values
from csae_bench.support.printable import printable

_VERDICT_STYLES = {
    Verdict.BETTER: "blue",
    Verdict.WORSE: "bold yellow",
    Verdict.EQUIVALENT: "cyan",
    Verdict.INCONCLUSIVE: "dim",
    Verdict.INCOMPARABLE: "magenta",
    Verdict.INVALID: "bold red",
    Verdict.MISSING: "bold red",
    Verdict.UNMEASURED: "dim",
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
NARROW = 76
"""Width below which only the difference and the verdict are shown next to a metric's name."""
MORE = "--json and --html have all."
NOT_ASKED = "--metrics leaves them out."


def print_report(report: Report, console: Console) -> None:
    """Print failed and invalid runs, the gate, verdicts or values, warnings, files."""
    _print_stamp(report, console)
    _print_troubles(report, console)
    _print_findings(report, console)
    if report.comparisons:
        _print_comparisons(report, console)
    else:
        _print_values(report, console)
    _print_broken(report, console)
    _print_uncounted(report, console)
    for warning in report.warnings:
        console.print(f"[yellow]warning:[/] {_prose(warning)}")
    _print_stamp(report, console)
    words = comparison_in_words(report)
    if words:
        console.print(_prose(words))
    verdict = outcome(report)
    console.print(f"[{_LEVEL_STYLES[verdict.level]}]{verdict.word}:[/] {_prose(verdict.sentence)}")


def _print_stamp(report: Report, console: Console) -> None:
    text = stamp(report)
    if text is not None:
        console.print(f"[reverse] {_prose(text)} [/]")


def _print_troubles(report: Report, console: Console) -> None:
    for trouble in troubles(report):
        where = "" if trouble.side == "candidate" else "baseline: "
        name = _escaped(f"{where}{trouble.release} {trouble.sae_id}")
        console.print(f"[bold red]{trouble.status}[/] [bold]{name}[/]")
        for problem in trouble.problems:
            console.print(f"  {_prose(problem)}")


def _print_findings(report: Report, console: Console) -> None:
    findings = gate_findings(report)
    if not findings:
        return
    releases = {finding.candidate.release for finding in findings if finding.candidate}
    table = _table("rule", "gate", "SAE", "")
    # sorted: in a hundred rules the one that fails would be overlooked
    in_order = sorted(findings, key=lambda finding: finding.judgement is Judgement.PASSED)
    n_listed = max(MAX_LISTED, sum(f.judgement is not Judgement.PASSED for f in findings))
    for finding in in_order[:n_listed]:
        sae = finding.candidate
        table.add_row(
            _escaped(wording.rule_text(finding)),
            f"[{_JUDGEMENT_STYLES[finding.judgement]}]{finding.judgement}[/]",
            "" if sae is None else _escaped(wording.family_text(sae, releases)),
            _prose(finding.message),
        )
    console.print(table)
    if len(in_order) > n_listed:
        rest = wording.counted(len(in_order) - n_listed, "more rule", "more rules")
        console.print(f"[dim]{rest} passed; {MORE}[/]")


def _print_comparisons(report: Report, console: Console) -> None:
    shown = set(selection.shown(report))
    by_pair = selection.pairs(selection.shown_rows(report))
    release = None
    for (candidate, baseline), comparisons in list(by_pair.items())[:MAX_LISTED]:
        if candidate.release != release:
            release = candidate.release
            console.print(f"\n[bold]{_escaped(release)}[/]")
            _print_changes(release, report, console)
        against = wording.family_text(baseline, {candidate.release})
        console.print(f"{_escaped(candidate.name)} [dim]against[/] {_escaped(against)}", end="")
        if all(comparison.difference is None for comparison in comparisons):
            _print_undecided(comparisons, console)
        else:
            console.print()
            _print_pair(comparisons, shown, report, console)
    if len(by_pair) > MAX_LISTED:
        rest = wording.counted(len(by_pair) - MAX_LISTED, "more pair of SAEs", "more pairs of SAEs")
        console.print(f"[dim]{rest}; {MORE}[/]")
    _print_hidden(len({c.metric for c in report.comparisons}) - len(shown), report, console)
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
        console.print(f"[dim]{_escaped(family.name)}: {_escaped(', '.join(changed[family]))}[/]")


def _print_pair(
    comparisons: Sequence[Comparison], shown: set[str], report: Report, console: Console
) -> None:
    is_wide, is_narrow = console.width >= WIDE, console.width < NARROW
    table = _table("metric")
    if not is_narrow:
        table.add_column("candidate", justify="right", no_wrap=True)
    if is_wide:
        table.add_column("baseline", justify="right", no_wrap=True)
    table.add_column(f"difference [{1 - report.alpha:.0%}]", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    if not is_narrow:
        table.add_column("Holm p", justify="right", no_wrap=True)
    if is_wide:
        table.add_column("detectable", justify="right", no_wrap=True)
    for row in selection.telling(comparisons, shown):
        cells = [
            _escaped(lookup(row.metric).title),
            *([] if is_narrow else [wording.number(row.candidate_mean)]),
            *([wording.number(row.baseline_mean)] if is_wide else []),
            wording.difference(row),
            f"[{_VERDICT_STYLES[row.verdict]}]{row.verdict}[/]",
            str(row.n_pairs),
            *([] if is_narrow else [wording.p_text(row.p_holm)]),
            *([wording.detectable(row)] if is_wide else []),
        ]
        table.add_row(*cells)
    console.print(table)
    for note in selection.undecided_reasons(comparisons, shown):
        console.print(f"  [dim]{_prose(note)}[/]")


def _print_undecided(comparisons: Sequence[Comparison], console: Console) -> None:
    """Print why a pair has no difference in any metric, instead of an empty table."""
    counts = verdict_counts(comparisons)
    said = ", ".join(f"[{_VERDICT_STYLES[verdict]}]{verdict}[/]" for verdict in counts)
    console.print(f": {said} on {'every metric' if len(counts) == 1 else 'all metrics'}")
    # the reason for an invalid SAE is shown above
    reasons = (c.reasons for c in comparisons if c.verdict is not Verdict.INVALID)
    for note in list(dict.fromkeys(chain.from_iterable(reasons)))[:MAX_LISTED]:
        console.print(f"  [dim]{_prose(note)}[/]")


def _print_values(report: Report, console: Console) -> None:
    """Print the scores of each family, if nothing is compared."""
    for results in (report.candidate, report.baseline):
        if results is not None:
            _print_values_of(results, report, console)


def _print_values_of(results: ResultSet, report: Report, console: Console) -> None:
    values = family_values(results, report.alpha)
    metrics = {metric for of_family in values.values() for metric in of_family}
    shown = selection.first(report, metrics)
    by_release: dict[str, list[Family]] = {}
    for family in values:
        by_release.setdefault(family.release, []).append(family)
    for release, families in by_release.items():
        level = f"{1 - report.alpha:.0%}"
        console.print(f"\n[bold]{_escaped(release)}[/]  [dim]means [{level} t interval][/]")
        if len(families) == 1:
            console.print(_escaped(families[0].name))
        table = _table(*([] if len(families) == 1 else ["SAE"]), "metric", "value", "n")
        for column in table.columns[-2:]:
            column.justify = "right"
        for family in families[:MAX_LISTED]:
            _add_values(table, family, values[family], shown, is_alone=len(families) == 1)
        console.print(table)
        if len(families) > MAX_LISTED:
            rest = wording.counted(len(families) - MAX_LISTED, "more SAE")
            console.print(f"[dim]{rest}; {MORE}[/]")
    _print_hidden(len(metrics) - len(shown), report, console)


def _print_hidden(n_hidden: int, report: Report, console: Console) -> None:
    if n_hidden > 0:
        metrics = wording.counted(n_hidden, "more metric")
        what = f"{metrics} compared" if report.comparisons else metrics
        console.print(f"[dim]{what}; {NOT_ASKED if report.shown_metrics else MORE}[/]")


def _add_values(
    table: Table,
    family: Family,
    values: dict[str, FamilyValue],
    shown: Iterable[str],
    *,
    is_alone: bool,
) -> None:
    name = _escaped(family.name)
    for metric in shown:
        value = values.get(metric)
        if value is None:
            continue
        text = wording.mean_text(value.mean, value.interval)
        cells = [_escaped(lookup(metric).title), _escaped(text), str(value.n)]
        table.add_row(*([] if is_alone else [name]), *cells)
        name = ""


def _print_broken(report: Report, console: Console) -> None:
    broken = broken_files(report)
    for file in broken[:MAX_LISTED]:
        console.print(f"[yellow]not read:[/] {_escaped(str(file.path))}: {_prose(file.why)}")
    if len(broken) > MAX_LISTED:
        rest = wording.counted(len(broken) - MAX_LISTED, "more file", "more files")
        console.print(f"[yellow]not read:[/] {rest}; {MORE}")


def _print_uncounted(report: Report, console: Console) -> None:
    files = uncounted(report)
    for file in files[:MAX_LISTED]:
        console.print(f"[yellow]not counted:[/] {_escaped(str(file.path))}: {_escaped(file.why)}")
    if len(files) > MAX_LISTED:
        rest = wording.counted(
            len(files) - MAX_LISTED, "more file or folder", "more files and folders"
        )
        console.print(f"[yellow]not counted:[/] {rest}; {MORE}")


def _escaped(text: str) -> str:
    """Return text of others on one line, without rich's markup or control characters."""
    return markup.escape(printable(text).replace("\n", "\\n").replace("\t", "\\t"))


def _prose(text: str) -> str:
    """Return a message, which may have several lines, as one line."""
    return _escaped(" ".join(text.split()))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")  # a name that is cut is another name
    return table
