"""The `csae-bench compare` command: read, compare, judge, report, update the baseline."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from csae_bench.comparison.comparisons import CompareOptions, compare
from csae_bench.comparison.gate import exit_code, judge
from csae_bench.comparison.metrics import unknown_because
from csae_bench.comparison.model import Report, ResultSet
from csae_bench.comparison.outputs.saving import (
    check_distinct,
    check_writable,
    is_one_place,
    written,
)
from csae_bench.comparison.policy import Policy, load_policy
from csae_bench.comparison.reading.folder import read_items, read_results
from csae_bench.comparison.rules import shortened
from csae_bench.errors import UsageError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class CompareRequest:
    """Options of the command line."""

    folder: Path
    baseline: Path | None = None
    against: str | None = None
    fail_on: Sequence[str] = ()
    policy: Path | None = None
    strict: bool = False
    allow_mismatch: bool = False
    update_baseline: bool = False
    metrics: Sequence[str] = ()
    """Names and globs of the metrics to show; empty for the main ones."""
    details: bool = False
    """Whether to read the details of results, for intervals over factors and questions."""
    outputs: Mapping[str, Path] = field(default_factory=dict)
    """md, junit, html or plots -> where to write it."""


@dataclass(frozen=True, kw_only=True)
class CompareOutcome:
    """Result of the command: the report, and the files that were written."""

    report: Report
    written: tuple[Path, ...]
    changes: tuple[str, ...]
    """Changes made by --update-baseline, one line per file."""
    exit_code: int
    """The report's exit code; after --update-baseline, of a comparison with the new baseline."""


def run_compare(request: CompareRequest) -> CompareOutcome:
    """Run the whole of `csae-bench compare`, except for printing the report.

    Raises:
        UsageError: a flag, a folder, a policy or a rule is wrong, or a file cannot be written; then
            nothing is written.
        ResultError: the baseline cannot be renewed from these results.
    """
    _check_flags(request)
    for kind, path in request.outputs.items():
        check_writable(path, is_folder=kind == "plots")
    check_distinct(request.outputs)
    policy = load_policy(request.policy, request.fail_on, strict=request.strict)
    candidate = read_results(request.folder)
    report = _report(request, policy, candidate, _baseline(request))
    written = tuple(
        path for kind, asked in request.outputs.items() for path in _WRITERS[kind](report, asked)
    )
    changes: tuple[str, ...] = ()
    code = report.exit_code
    # last: what cannot be written above leaves the baseline as it was
    if request.update_baseline and request.baseline is not None:
        from csae_bench.comparison.update_baseline import renew_baseline

        changes = renew_baseline(candidate, request.baseline)
        renewed = read_results(request.baseline)
        code = _report(request, policy, candidate, renewed).exit_code
    return CompareOutcome(report=report, written=written, changes=changes, exit_code=code)


def report_of_folder(folder: Path) -> Report:
    """Return the report of a folder by itself; one without results where it has none yet."""
    try:
        candidate = read_results(folder)
    except UsageError:
        candidate = ResultSet(root=folder, readings=(), runs=())
    policy = load_policy(None, (), strict=False)
    return _report(CompareRequest(folder=folder), policy, candidate, None)


def _report(
    request: CompareRequest, policy: Policy, candidate: ResultSet, baseline: ResultSet | None
) -> Report:
    policy.check(_metrics(candidate) | (_metrics(baseline) if baseline else set()))
    notes = _check_metrics(request.metrics, candidate, baseline)
    compared = compare(
        candidate,
        baseline,
        CompareOptions(
            alpha=policy.alpha,
            allow_mismatch=request.allow_mismatch,
            against=request.against,
            margins=policy.margins,
            gates=policy.gates,
            also=request.metrics,
            details=read_items if request.details else None,
        ),
    )
    findings = judge(compared.comparisons, policy, candidate, baseline)
    return Report(
        candidate=candidate,
        baseline=baseline,
        comparisons=compared.comparisons,
        findings=findings,
        warnings=(*policy.notes, *notes, *_unknown(candidate, baseline), *compared.warnings),
        allowed_mismatches=compared.allowed_mismatches,
        exit_code=exit_code(findings),
        alpha=policy.alpha,
        shown_metrics=tuple(request.metrics),
        against=request.against,
    )


def _unknown(candidate: ResultSet, baseline: ResultSet | None) -> list[str]:
    """Return a sentence for each eval whose metrics cannot be read from its own module."""
    sides = [candidate] if baseline is None else [candidate, baseline]
    evals = sorted({reading.eval_name for side in sides for reading in side.readings})
    problems = (unknown_because(name) for name in evals)
    return [f"{problem} Its metrics have no direction." for problem in problems if problem]


def _check_metrics(
    globs: Sequence[str], candidate: ResultSet, baseline: ResultSet | None
) -> list[str]:
    """Refuse a --metrics that names nothing; a sentence for each that names no value.

    Raises:
        UsageError: one sentence for each that fitting no metric of the results.
    """
    sides = [candidate] if baseline is None else [candidate, baseline]
    is_defined: dict[str, bool] = {}
    for reading in (reading for side in sides for reading in side.readings):
        for metric, value in reading.values.items():
            is_defined[metric] = is_defined.get(metric, False) or value is not None
    matched = {glob: [m for m in is_defined if fnmatchcase(m, glob)] for glob in globs}
    problems = [
        _no_such_metric(glob, is_defined) for glob, fitting in matched.items() if not fitting
    ]
    if problems:
        raise UsageError("\n".join(problems))
    return [
        f"--metrics {glob}: no result has a value: it was not measured, or is undefined."
        for glob, fitting in matched.items()
        if not any(is_defined[metric] for metric in fitting)
    ]


def _no_such_metric(glob: str, metrics: Iterable[str]) -> str:
    names = sorted(metrics)
    evals = sorted({f"{name.partition('.')[0]}.*" for name in names})
    have = f"They have: {', '.join(evals)}." if names else "They have no metric at all."
    return (
        f"--metrics {shortened(glob)}: matches no metric of these results."
        f"{did_you_mean(glob, names)} A name is <eval>.<metric>, and * stands for any text. {have}"
    )


def _check_flags(request: CompareRequest) -> None:
    if request.update_baseline and request.baseline is None:
        raise UsageError("--update-baseline: name the baseline's folder with --baseline DIR.")
    has_pairs = request.baseline is not None or request.against is not None
    if (request.fail_on or request.policy) and not has_pairs:
        flag = "--fail-on" if request.fail_on else "--policy"
        raise UsageError(
            f"{flag}: its rules compare results with a baseline; give --baseline DIR, or --against "
            "NAME for an SAE of the same folder."
        )
    if request.baseline is not None and is_one_place(request.baseline, request.folder):
        raise UsageError(
            f"--baseline {request.baseline}: is the folder that is compared; name another."
        )
    if request.update_baseline and request.baseline is not None:
        from csae_bench.comparison import update_baseline as renewal

        renewal.check_writable(request.baseline)


def _baseline(request: CompareRequest) -> ResultSet | None:
    """Return the baseline's results; None without one, or if it is still to be made."""
    if request.baseline is None or (request.update_baseline and not _has_files(request.baseline)):
        return None
    return read_results(request.baseline)


def _has_files(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entries)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(
            f"--baseline {folder}: cannot be read: {error.strerror}. Name another folder."
        ) from error


def _metrics(results: ResultSet) -> set[str]:
    return {metric for reading in results.readings for metric in reading.values}


def _write_markdown(report: Report, path: Path) -> list[Path]:
    from csae_bench.comparison.outputs.markdown import to_markdown

    return _write_text(path, to_markdown(report))


def _write_junit(report: Report, path: Path) -> list[Path]:
    from csae_bench.comparison.outputs.junit import to_junit

    return _write_text(path, to_junit(report))


def _write_html(report: Report, path: Path) -> list[Path]:
    from csae_bench.comparison.outputs.html import write_html

    write_html(report, path)
    return [path]


def _write_plots(report: Report, path: Path) -> list[Path]:
    from csae_bench.comparison.outputs.plots import write_plots

    return write_plots(report, path)


def _write_text(path: Path, text: str) -> list[Path]:
    with written(path) as temporary:
        # a name may hold half a surrogate pair, which no file can
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    return [path]


_WRITERS: Mapping[str, Callable[[Report, Path], list[Path]]] = {
    "md": _write_markdown,
    "junit": _write_junit,
    "html": _write_html,
    "plots": _write_plots,
}
