"""Summary of a report: one word, one sentence, and the number of each verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

from csae_bench.comparison.gate import NAMES_ARE_EQUAL, RUNS_ARE_OK
from csae_bench.comparison.model import (
    Broken,
    Comparison,
    Family,
    Finding,
    Judgement,
    Report,
    Verdict,
)
from csae_bench.comparison.outputs.troubles import troubles
from csae_bench.comparison.outputs.wording import counted
from csae_bench.errors import (
    EXIT_FAILED,
    EXIT_INCOMPARABLE,
    EXIT_MISSING,
    EXIT_OK,
    EXIT_REGRESSION,
)

Level = Literal["good", "bad", "neutral"]

_WORDS: dict[int, str] = {
    EXIT_REGRESSION: "Regression",
    EXIT_INCOMPARABLE: "Not comparable",
    EXIT_FAILED: "Failed",
    EXIT_MISSING: "Result missing",
}

_SAID_OF: dict[Judgement, tuple[str, str]] = {
    Judgement.REGRESSED: ("rule finds a regression", "rules find a regression"),
    Judgement.FAILED: ("rule met a failed or invalid run", "rules met a failed or invalid run"),
    Judgement.MISSING: ("rule lacks a result", "rules lack a result"),
    Judgement.INCOMPARABLE: ("rule cannot compare", "rules cannot compare"),
    Judgement.WARNED: ("rule passed with a warning", "rules passed with a warning"),
    Judgement.PASSED: ("rule passed", "rules passed"),
}
"""Judgements, the gravest first, as they are counted."""


class Conclusion(NamedTuple):
    """The verdict on the whole."""

    word: str
    """`Passed`, `Regression`, `Failed`, ...; `Compared` or `Read` where nothing was gated."""
    sentence: str
    level: Level


def changed_configurations(report: Report) -> dict[Family, tuple[str, ...]]:
    """Return the SAEs whose configuration flags changed, and how: their names only have a hash."""
    sides = [side for side in (report.baseline, report.candidate) if side is not None]
    return {run.family: run.changes for side in sides for run in side.runs if run.changes}


def outcome(report: Report) -> Conclusion:
    """Return the meaning of the exit code in words, and its reason."""
    is_ok = report.exit_code == EXIT_OK
    of_names = [f for f in report.findings if f.rule == NAMES_ARE_EQUAL]
    findings = [finding for finding in gate_findings(report) if finding.rule != NAMES_ARE_EQUAL]
    judgements = Counter(finding.judgement for finding in findings)
    parts = [
        counted(judgements[judgement], *names)
        for judgement, names in _SAID_OF.items()
        if judgements[judgement]
    ]
    statuses = Counter(trouble.status for trouble in troubles(report))
    n_broken = len(broken_files(report))
    gravest = (
        (statuses["failed"], "failed run"),
        (statuses["invalid"], "invalid SAE"),
        (
            len(of_names),
            "SAE is compared with one of another name",
            "SAEs are compared with one of another name",
        ),
        (n_broken, "file that could not be read", "files that could not be read"),
    )
    parts = [counted(n, *names) for n, *names in gravest if n] + parts
    if not report.comparisons:
        parts.append("nothing was compared")
    if is_ok and not findings:
        parts.append("no rule was set")
    if is_ok:
        word = "Passed" if findings else "Compared" if report.comparisons else "Read"
    else:
        word = _WORDS.get(report.exit_code, f"Exit code {report.exit_code}")
    level: Level = "bad" if not is_ok else "good" if findings else "neutral"
    return Conclusion(word, _sentence(parts), level)


def gate_findings(report: Report) -> list[Finding]:
    """Return the gate's findings except failed runs and broken files, which are listed as such."""
    return [finding for finding in report.findings if finding.rule != RUNS_ARE_OK]


def broken_files(report: Report) -> list[Broken]:
    """Return the files of candidate and baseline that could not be read."""
    return [*report.candidate.broken, *(report.baseline.broken if report.baseline else ())]


def verdict_counts(comparisons: Iterable[Comparison]) -> dict[Verdict, int]:
    """Count the verdicts, in the order of `Verdict`; verdicts that never occur are left out."""
    counts = Counter(comparison.verdict for comparison in comparisons)
    return {verdict: counts[verdict] for verdict in Verdict if counts[verdict]}


def stamp(report: Report) -> str | None:
    """Return the mark for every output if mismatches were allowed; None if none were."""
    if not report.allowed_mismatches:
        return None
    return (
        f"Mismatches were allowed in {', '.join(report.allowed_mismatches)}: the numbers "
        "compared were measured under different conditions."
    )


def _sentence(parts: list[str]) -> str:
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
