"""The gate: from comparisons to findings, and from findings to an exit code.

Missing, invalid and incomparable never pass, and a rule that matched nothing fails. A failed run
and an invalid SAE are findings whatever the rules say; if there is no rule at all, so are results
that the baseline has and the candidate lacks, and results that cannot be compared with it, on the
metrics that gate. A rule that passes although a seed of the baseline is lacking gives a warning,
and so does a glob's metric that is undefined in every result of both sides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from csae_bench.comparison.matching import Member, Seed, listed, members, paired_seeds
from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import (
    Comparison,
    Family,
    Finding,
    Judgement,
    Reading,
    ResultSet,
    Verdict,
)
from csae_bench.comparison.policy import Policy
from csae_bench.comparison.rules import Rule
from csae_bench.errors import (
    EXIT_FAILED,
    EXIT_INCOMPARABLE,
    EXIT_MISSING,
    EXIT_OK,
    EXIT_PRECEDENCE,
    EXIT_REGRESSION,
)
from csae_bench.evals.metric_rows import Direction

RUNS_ARE_OK = "runs are ok"
RESULTS_ARE_THERE = "results are there"
RESULTS_COMPARE = "results compare"
NAMES_ARE_EQUAL = "names are equal"

EXIT_CODES = {
    Judgement.PASSED: EXIT_OK,
    Judgement.WARNED: EXIT_OK,
    Judgement.REGRESSED: EXIT_REGRESSION,
    Judgement.INCOMPARABLE: EXIT_INCOMPARABLE,
    Judgement.FAILED: EXIT_FAILED,
    Judgement.MISSING: EXIT_MISSING,
}

_ROUNDING = 1e-9
"""Relative tolerance of a limit, for rounding in the difference of two floats."""

_NEVER_PASS = {
    Verdict.INVALID: Judgement.FAILED,
    Verdict.MISSING: Judgement.MISSING,
    Verdict.UNMEASURED: Judgement.MISSING,
    Verdict.INCOMPARABLE: Judgement.INCOMPARABLE,
}

_UNASKED = {Verdict.MISSING: RESULTS_ARE_THERE, Verdict.INCOMPARABLE: RESULTS_COMPARE}


def judge(
    comparisons: Sequence[Comparison],
    policy: Policy,
    candidate: ResultSet,
    baseline: ResultSet | None,
) -> tuple[Finding, ...]:
    """Apply every rule to its comparisons, and the requirements that hold without any rule."""
    sides = _Sides(candidate, baseline)
    return (
        *_troubles("candidate", candidate, None),
        *(_troubles("baseline", baseline, {c.baseline for c in comparisons}) if baseline else ()),
        *_expected(candidate, policy),
        *(_renamed(comparisons, policy, sides) if baseline else ()),
        *_of_rules(comparisons, policy, sides),
        *(_unasked(comparisons, baseline, policy, sides) if baseline and not policy.rules else ()),
    )


def exit_code(findings: Iterable[Finding]) -> int:
    """Return the exit code of all findings together: the first of 4, 5, 3, 1, 0."""
    codes = {EXIT_CODES[finding.judgement] for finding in findings}
    return next((code for code in EXIT_PRECEDENCE if code in codes), EXIT_OK)


class _Sides:
    """Properties of both sides' results that go beyond their comparisons."""

    def __init__(self, candidate: ResultSet, baseline: ResultSet | None) -> None:
        self._mine, _ = members(candidate)
        self._theirs = self._mine if baseline is None else members(baseline)[0]

    def lost_seeds(self, comparison: Comparison) -> str | None:
        """Name the seeds of the baseline that the candidate lacks, in a sentence; None if none."""
        mine, base = self._of(comparison)
        pairs, _ = paired_seeds(mine, base)
        seeds = base.keys() - {seed for _, seed in pairs} if mine else None
        return f"Only the baseline has {listed(seeds)}." if seeds else None

    def is_undefined(self, comparison: Comparison) -> bool:
        """Return whether both sides have the metric and it is undefined in all results of both."""
        of_both = self._of(comparison)
        return all(of_both) and all(
            reading.values[comparison.metric] is None
            for readings in of_both
            for reading in readings.values()
        )

    def has_both(self, comparison: Comparison) -> bool:
        """Return whether both are SAEs of the results, and not curves interpolated between them."""
        return comparison.candidate in self._mine and comparison.baseline in self._theirs

    def _of(self, comparison: Comparison) -> tuple[Mapping[Seed, Reading], Mapping[Seed, Reading]]:
        mine = self._mine.get(comparison.candidate)
        theirs = self._theirs.get(comparison.baseline)
        metric = comparison.metric
        return (
            {} if mine is None else mine.of_metric(metric),
            {} if theirs is None else theirs.of_metric(metric),
        )


def _renamed(comparisons: Iterable[Comparison], policy: Policy, sides: _Sides) -> Iterator[Finding]:
    """Yield a finding for each SAE that is compared with a baseline of another name."""
    pairs = dict.fromkeys(
        (c.candidate, c.baseline)
        for c in comparisons
        if c.candidate.name != c.baseline.name and sides.has_both(c)
    )
    judgement = Judgement.INCOMPARABLE if policy.strict else Judgement.WARNED
    for candidate, baseline in pairs:
        message = f"Compared with {baseline.name}, an SAE of another name."
        yield _finding(NAMES_ARE_EQUAL, "", candidate, judgement, message)


def _of_rules(
    comparisons: Sequence[Comparison], policy: Policy, sides: _Sides
) -> Iterator[Finding]:
    for rule in policy.rules:
        judged = [c for c in comparisons if rule.covers(lookup(c.metric))]
        for comparison in judged:
            judgement, message = _judged(rule, comparison, policy)
            if judgement is Judgement.MISSING and rule.is_glob and sides.is_undefined(comparison):
                # on data without ground truth, say, no SAE has a mean correlation coefficient
                judgement = Judgement.WARNED
            without = sides.lost_seeds(comparison) if judgement is Judgement.PASSED else None
            if without is not None:
                judgement, message = Judgement.WARNED, f"{message} {without}"
            yield _finding(str(rule), comparison.metric, comparison.candidate, judgement, message)
        if not judged:
            why = "No comparison matches this rule, so it was not applied."
            yield _finding(str(rule), "", None, Judgement.MISSING, why)


def _judged(rule: Rule, comparison: Comparison, policy: Policy) -> tuple[Judgement, str]:
    reasons = " ".join(comparison.reasons)
    if comparison.verdict in _NEVER_PASS:
        return _NEVER_PASS[comparison.verdict], f"{comparison.verdict}: {reasons}"
    if comparison.n_pairs < policy.seeds:
        return Judgement.MISSING, f"{_too_few_pairs(comparison, policy)} {reasons}"
    if isinstance(rule.limit, str):
        return _by_verdict(comparison, reasons, strict=policy.strict)
    return _by_point(comparison, rule.limit)


def _too_few_pairs(comparison: Comparison, policy: Policy) -> str:
    return (
        f"{policy.source} asks for {policy.seeds} pairs of seeds; there "
        f"{'is' if comparison.n_pairs == 1 else 'are'} {comparison.n_pairs}."
    )


def _by_verdict(comparison: Comparison, reasons: str, *, strict: bool) -> tuple[Judgement, str]:
    message = f"{comparison.verdict}: {reasons}"
    if comparison.verdict is Verdict.WORSE:
        return Judgement.REGRESSED, message
    if comparison.verdict is Verdict.INCONCLUSIVE:
        return (Judgement.INCOMPARABLE if strict else Judgement.WARNED), message
    return Judgement.PASSED, message


def _by_point(comparison: Comparison, limit: float) -> tuple[Judgement, str]:
    difference = comparison.difference
    if difference is None:
        return Judgement.MISSING, "There is no difference to judge."
    direction = lookup(comparison.metric).direction
    change = abs(difference) if direction is Direction.NONE else difference
    is_within = change >= limit if direction is Direction.HIGHER else change <= limit
    # .98 - .99 is a little more than -.01: a drop of just the limit is allowed
    passes = is_within or math.isclose(change, limit, rel_tol=_ROUNDING)
    means = f"{_shown(comparison.baseline_mean)} -> {_shown(comparison.candidate_mean)}"
    what = {
        Direction.HIGHER: f"it may drop by {abs(limit):g}",
        Direction.LOWER: f"it may rise by {limit:g}",
        Direction.TARGET: f"it may get farther from its target by {limit:g}",
        Direction.NONE: f"it may change by {limit:g}",
    }[direction]
    message = f"{means}, a change of {difference:+.4g}; {what}."
    return (Judgement.PASSED if passes else Judgement.REGRESSED), message


def _troubles(side: str, results: ResultSet, families: set[Family] | None) -> Iterator[Finding]:
    """Yield a finding for each run that failed, each SAE that is invalid, and each broken file.

    Args:
        families: those that count; None for all.
    """
    why: dict[tuple[Family, str], dict[str, None]] = {}
    for run in results.runs:
        if run.status in ("failed", "invalid"):
            problems = run.problems or ("no reason was recorded",)
            said = why.setdefault((run.family, run.sae_id), {})
            said.update(dict.fromkeys(f"{run.status}: {problem}" for problem in problems))
    in_records = set(why)
    for reading in results.readings:
        key = reading.family, reading.sae_id
        if reading.invalid and (reading.family.first, reading.sae_id) not in in_records:
            why.setdefault(key, {}).update(dict.fromkeys(f"invalid: {r}" for r in reading.invalid))
    for (family, sae_id), reasons in why.items():
        if families is None or family in families:
            message = f"{sae_id} of the {side}: {'; '.join(reasons)}"
            yield _finding(RUNS_ARE_OK, "", family, Judgement.FAILED, message)
    for broken in results.broken:
        yield _finding(RUNS_ARE_OK, "", None, Judgement.FAILED, broken.message)


def _expected(candidate: ResultSet, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for each eval that the policy requires and an SAE has no result of."""
    by_family, _ = members(candidate)
    for eval_name in policy.evals:
        for member in by_family.values():
            if member.family.variant:
                continue  # a further result of an eval; the first is what is asked for
            seeds = member.seeds - member.readings.get(eval_name, {}).keys()
            if seeds or eval_name not in member.readings:
                why = _why_missing(member, eval_name, seeds, policy)
                rule = f"evals: {eval_name}"
                yield _finding(rule, eval_name, member.family, Judgement.MISSING, why)


def _why_missing(member: Member, eval_name: str, seeds: Set[Seed], policy: Policy) -> str:
    runs = [run for run in member.runs if run.seed in seeds and eval_name in run.cells]
    statuses = {run.cells[eval_name] for run in runs}
    why = f": {', '.join(sorted(statuses))}" if statuses else ""
    which = f" of {listed(seeds)}" if eval_name in member.readings else ""
    return f"{policy.source} asks for results of {eval_name}; there are none{which}{why}."


def _unasked(
    comparisons: Sequence[Comparison], baseline: ResultSet, policy: Policy, sides: _Sides
) -> Iterator[Finding]:
    """Require, if there is no rule, that all of the baseline is there and comparable."""
    defined = {
        (reading.family, metric)
        for reading in baseline.readings
        for metric, value in reading.values.items()
        if value is not None
    }
    said: set[tuple[Family, str]] = set()
    for comparison in comparisons:
        if not comparison.gates or (comparison.baseline, comparison.metric) not in defined:
            continue
        for rule, judgement, message in _of_unasked(comparison, policy, sides):
            if (comparison.candidate, message) not in said:
                said.add((comparison.candidate, message))
                yield _finding(rule, comparison.metric, comparison.candidate, judgement, message)


def _of_unasked(
    comparison: Comparison, policy: Policy, sides: _Sides
) -> Iterator[tuple[str, Judgement, str]]:
    if comparison.verdict in _UNASKED:
        judgement = _NEVER_PASS[comparison.verdict]
        yield _UNASKED[comparison.verdict], judgement, " ".join(comparison.reasons)
    elif comparison.verdict is not Verdict.INVALID:
        if comparison.n_pairs < policy.seeds:
            too_few = _too_few_pairs(comparison, policy)
            yield RESULTS_ARE_THERE, Judgement.MISSING, too_few
        elif without := sides.lost_seeds(comparison):
            yield RESULTS_ARE_THERE, Judgement.WARNED, without


def _finding(
    rule: str, metric: str, candidate: Family | None, judgement: Judgement, message: str
) -> Finding:
    return Finding(
        rule=rule, metric=metric, candidate=candidate, judgement=judgement, message=message
    )


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"
