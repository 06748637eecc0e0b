"""A report as GitHub-flavoured Markdown, for a pull request or the summary of a CI job.

The outcome comes first, then failures, the gate and a short table; the rest is folded away. In a
large report, tables show fewer rows, so that it fits into a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Broken, Comparison, Family, Judgement, Report, Verdict
from csae_bench.comparison.outputs import selection, wording
from csae_bench.comparison.outputs.overview import (
    Level,
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

MAX_CHARACTERS = 65_536
"""Largest length of a comment on GitHub."""
N_ROWS = (40, 20, 10, 5, 2)
"""Rows of a table before the rest is counted: the most that fit."""
MAX_CELL = 300
"""Characters of a name or message before it is cut."""

_MARKS: dict[Level, str] = {
    "good": "\N{WHITE HEAVY CHECK MARK}",
    "bad": "\N{CROSS MARK}",
    "neutral": "\N{INFORMATION SOURCE}",
}
_JUDGEMENT_MARKS = {
    Judgement.PASSED: _MARKS["good"],
    Judgement.WARNED: "\N{WARNING SIGN}",
}
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#|~!$])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@<!-- -->"}
"""An empty comment after @ keeps a name from notifying whoever is called so."""
_HTML_PATTERN = re.compile("[&<>@]")


def to_markdown(report: Report) -> str:
    """Return the report, outcome first."""
    written = ""
    for n_rows in N_ROWS:
        written = _written(report, n_rows)
        if len(written) <= MAX_CHARACTERS:
            break
    return written


def text(value: str) -> str:
    """Escape any text as Markdown that shows just that, on one line, cut if it is very long."""
    line = printable(" ".join(value.split()))
    if len(line) > MAX_CELL:
        line = f"{line[: MAX_CELL - 3]}..."
    escaped = _SPECIAL.sub(r"\\\1", line)
    return _HTML_PATTERN.sub(lambda match: _HTML[match[0]], escaped)


def _written(report: Report, n_rows: int) -> str:
    verdict = outcome(report)
    parts = [f"### {_MARKS[verdict.level]} csae-bench compare: {verdict.word.lower()}"]
    parts.append(text(verdict.sentence))
    allowed = stamp(report)
    if allowed is not None:
        parts.append(f"> [!WARNING]\n> {text(allowed)}")
    parts += _troubles(report, n_rows)
    parts += _findings(report, n_rows)
    parts += (_comparisons if report.comparisons else _values)(report, n_rows)
    parts += _warnings(report, n_rows)
    parts += _files(broken_files(report), "could not be read", n_rows)
    parts += _files(uncounted(report), "not counted", n_rows)
    return "\n\n".join(parts) + "\n"


def _troubles(report: Report, n_rows: int) -> list[str]:
    listed = troubles(report)
    if not listed:
        return []
    rows = [
        (
            f"**{trouble.status}**",
            text(f"{trouble.release} {trouble.sae_id}"),
            trouble.side,
            "<br>".join(text(problem) for problem in trouble.problems),
        )
        for trouble in listed
    ]
    return ["#### Failed and invalid runs", _table(("", "SAE", "side", "why"), rows, n_rows)]


def _findings(report: Report, n_rows: int) -> list[str]:
    rows = [
        (
            f"{_JUDGEMENT_MARKS.get(finding.judgement, _MARKS['bad'])} {finding.judgement}",
            text(wording.rule_text(finding)),
            "" if finding.candidate is None else text(finding.candidate.name),
            text(finding.message),
        )
        for finding in sorted(gate_findings(report), key=lambda f: f.judgement in _JUDGEMENT_MARKS)
    ]
    return ["#### Gate", _table(("", "rule", "SAE", ""), rows, n_rows)] if rows else []


def _comparisons(report: Report, n_rows: int) -> list[str]:
    shown = selection.shown(report)
    by_pair = selection.pairs(selection.shown_rows(report))
    releases = {family.release for pair in by_pair for family in pair}
    rows = [
        row
        for pair in by_pair.values()
        if not _is_undecided(pair)
        for row in selection.telling(pair, set(shown))
    ]
    level = f"{1 - report.alpha:.0%}"
    header = ("", "SAE", "against", "metric", f"difference [{level}]")
    brief = [
        *_undecided(by_pair, releases),
        *(_brief(row, releases) for row in _gravest_first(rows)),
    ]
    counted = verdict_counts(row for row in report.comparisons if row.metric in set(shown))
    counts = ", ".join(f"{n} {verdict}" for verdict, n in counted.items())
    details = _folded(
        "All figures of these metrics",
        _table(
            ("SAE", "against", "metric", "candidate", "baseline", "n", "p (Holm)", "detectable",
             "why"),
            [_full(row, releases) for row in rows],
            n_rows,
            "lllrrrrrl",
        ),
    )  # fmt: skip
    parts = [f"#### Verdicts: {counts}", _table(header, brief, n_rows, "llllr")]
    changed = [
        f"- {text(family.name)}: {text(', '.join(changes))}"
        for family, changes in sorted(changed_configurations(report).items())
    ]
    parts += ["\n".join(changed[:n_rows])] if changed else []
    lacking = [
        f"- {text(candidate.name)} against {text(baseline.name)}: {text(' '.join(reasons))}"
        for (candidate, baseline), pair in by_pair.items()
        if not _is_undecided(pair) and (reasons := selection.undecided_reasons(pair, set(shown)))
    ]
    parts += ["\n".join(lacking[:n_rows])] if lacking else []
    parts += [details] if rows else []
    hidden = len({row.metric for row in report.comparisons}) - len(shown)
    if hidden:
        where = "left out by `--metrics`" if report.shown_metrics else "see `--html` or `--json`"
        parts.append(f"{wording.counted(hidden, 'more metric')} compared: {where}.")
    return parts


def _is_undecided(pair: Sequence[Comparison]) -> bool:
    return all(row.difference is None for row in pair)


def _undecided(
    by_pair: Mapping[tuple[Family, Family], Sequence[Comparison]], releases: set[str]
) -> list[tuple[str, ...]]:
    """Return one row for each pair that has no difference in any metric."""
    return [
        (
            ", ".join(f"{wording.SYMBOLS[v]} {v}" for v in verdict_counts(rows)),
            text(wording.family_text(candidate, releases)),
            text(wording.family_text(baseline, releases)),
            f"all {len(rows)}",
            "",
        )
        for (candidate, baseline), rows in by_pair.items()
        if _is_undecided(rows)
    ]


def _gravest_first(rows: Iterable[Comparison]) -> list[Comparison]:
    order = (Verdict.INVALID, Verdict.MISSING, Verdict.INCOMPARABLE, Verdict.WORSE, Verdict.BETTER)

    def gravity(row: Comparison) -> tuple[bool, int]:
        place = order.index(row.verdict) if row.verdict in order else len(order)
        return row.verdict is Verdict.UNMEASURED, place

    return sorted(rows, key=gravity)


def _brief(row: Comparison, releases: set[str]) -> tuple[str, ...]:
    return (
        f"{wording.SYMBOLS[row.verdict]} {row.verdict}",
        text(wording.family_text(row.candidate, releases)),
        text(wording.family_text(row.baseline, releases)),
        text(lookup(row.metric).title),
        text(wording.difference(row)),
    )


def _full(row: Comparison, releases: set[str]) -> tuple[str, ...]:
    return (
        text(wording.family_text(row.candidate, releases)),
        text(wording.family_text(row.baseline, releases)),
        text(lookup(row.metric).title),
        wording.number(row.candidate_mean),
        wording.number(row.baseline_mean),
        str(row.n_pairs),
        text(wording.p_text(row.p_holm)),
        wording.detectable(row),
        text(" ".join(row.reasons)),
    )


def _values(report: Report, n_rows: int) -> list[str]:
    parts: list[str] = []
    for results in (report.candidate, report.baseline):
        if results is None:
            continue
        values = family_values(results, report.alpha)
        if not values:
            continue
        shown = selection.first(report, {m for of_family in values.values() for m in of_family})
        header = ("SAE", "seeds", *(text(lookup(metric).title) for metric in shown))
        releases = {family.release for family in values}
        rows = [
            _values_row(wording.family_text(family, releases), of_family, shown)
            for family, of_family in values.items()
        ]
        parts.append(f"Means, with {1 - report.alpha:.0%} t intervals over seeds:")
        parts.append(_table(header, rows, n_rows, "l" + "r" * (len(header) - 1)))
    return parts


def _values_row(
    name: str, values: Mapping[str, FamilyValue], shown: Sequence[str]
) -> tuple[str, ...]:
    there = [values.get(metric) for metric in shown]
    n_seeds = max((value.n for value in there if value is not None), default=0)
    cells = ("" if v is None else text(wording.mean_text(v.mean, v.interval)) for v in there)
    return (text(name), str(n_seeds), *cells)


def _warnings(report: Report, n_rows: int) -> list[str]:
    if not report.warnings:
        return []
    items = [f"- {text(warning)}" for warning in report.warnings[:n_rows]]
    return ["#### Warnings", "\n".join([*items, *_rest(len(report.warnings) - n_rows, "warning")])]


def _files(files: Sequence[Broken], what: str, n_rows: int) -> list[str]:
    if not files:
        return []
    items = [f"- {text(str(file.path))}: {text(file.why)}" for file in files[:n_rows]]
    listed = "\n".join([*items, *_rest(len(files) - n_rows, "file")])
    return [_folded(f"{wording.counted(len(files), 'file')} {what}", listed)]


def _rest(n: int, noun: str) -> list[str]:
    return [f"- and {wording.counted(n, 'more ' + noun)}"] if n > 0 else []


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], n_rows: int, align: str = ""
) -> str:
    marks = ["---:" if mark == "r" else "---" for mark in align.ljust(len(header), "l")]
    lines = [header, marks, *rows[:n_rows]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    if len(rows) <= n_rows:
        return table
    return f"{table}\n\n{wording.counted(len(rows) - n_rows, 'more row')}: see `--html`."


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"
