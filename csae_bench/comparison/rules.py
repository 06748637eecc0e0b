"""Rules of the gate: `core.ce_loss_score:-0.01`, `mig.*:ci`, and the metrics they match."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from csae_bench.comparison.metrics import MetricSpec, lookup, unknown_because
from csae_bench.errors import ConfigError, UsageError, did_you_mean
from csae_bench.evals.metric_rows import Direction
from csae_bench.support import old_names, printable

NEEDS_VERDICT = "ci"
_GLOB = frozenset("*?[")
_MAX_SHOWN = 80
"""Characters of a user's text in a sentence before it is cut."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A requirement on a metric; the gate passes if all hold."""

    pattern: str
    """A metric or a glob."""
    limit: float | Literal["ci"]
    """Largest change of the point estimate, or `ci`: the verdict must not be worse."""
    source: str
    """Source of the rule: `--fail-on`, or the policy's path."""

    def __str__(self) -> str:
        return f"{self.pattern}:{self.limit if isinstance(self.limit, str) else f'{self.limit:g}'}"

    @property
    def is_glob(self) -> bool:
        """Whether the pattern may match several metrics."""
        return not _GLOB.isdisjoint(self.pattern)

    def covers(self, spec: MetricSpec) -> bool:
        """Return whether the rule matches a metric: a name any, a glob those that may gate."""
        if self.is_glob:
            return spec.may_gate and fnmatchcase(spec.name, self.pattern)
        return spec.name == self.pattern


def parse_rule(text: str) -> Rule:
    """Parse `METRIC:RULE`, METRIC a name or a glob, RULE a number or `ci`.

    Raises:
        UsageError: it has another form.
    """
    pattern, colon, limit = text.rpartition(":")
    pattern, limit = pattern.strip(), limit.strip()
    if not colon or not pattern or not limit:
        raise UsageError(
            f"--fail-on {shortened(text)}: write it as METRIC:RULE, such as "
            "core.ce_loss_score:-0.01 or 'mig.*:ci'."
        )
    pattern = old_names.metric_pattern(pattern, "--fail-on")
    return Rule(pattern=pattern, limit=_limit(text, limit), source="--fail-on")


def check_rules(rules: Sequence[Rule], metrics: Iterable[str]) -> None:
    """Check that every rule matches a metric of the results, and that its sign is that of a loss.

    Args:
        metrics: those that the candidate or the baseline has.

    Raises:
        ConfigError: one sentence for each rule that is wrong.
    """
    specs = [lookup(name) for name in sorted(set(metrics))]
    problems = [problem for rule in rules for problem in _problems(rule, specs)]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))


def shortened(text: str) -> str:
    """Return text of a user for a sentence, cut if it is very long."""
    return printable.shortened(text, _MAX_SHOWN)


def _limit(text: str, limit: str) -> float | Literal["ci"]:
    if limit == NEEDS_VERDICT:
        return NEEDS_VERDICT
    try:
        number = float(limit)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(
            f"--fail-on {shortened(text)}: the rule is '{shortened(limit)}'; it must be a number, "
            "how much the metric may change, or ci, for a verdict."
        )
    return number


def _problems(rule: Rule, specs: Sequence[MetricSpec]) -> list[str]:
    matching = [spec for spec in specs if rule.covers(spec)]
    if not matching:
        return [_matches_nothing(rule, specs)]
    problems = (_wrong_for(rule, spec) for spec in matching)
    return [problem for problem in problems if problem is not None]


def _matches_nothing(rule: Rule, specs: Sequence[MetricSpec]) -> str:
    where = f"{rule.source} {shortened(str(rule))}"
    fitting = [spec.name for spec in specs if fnmatchcase(spec.name, rule.pattern)]
    if fitting:
        return (
            f"{where}: matches only metrics that do not gate unless a rule names them: "
            f"{', '.join(fitting)}. Name the intended one."
        )
    names = [spec.name for spec in specs]
    scores = [spec.name for spec in specs if not spec.is_supporting]
    have = f"They have: {', '.join(scores)}." if names else "They have no metric at all."
    return f"{where}: matches no metric of these results.{did_you_mean(rule.pattern, names)} {have}"


def _wrong_for(rule: Rule, spec: MetricSpec) -> str | None:
    """Return why the rule cannot judge this metric; None if it can."""
    where = f"{rule.source} {rule}"
    if isinstance(rule.limit, str):
        if spec.direction is Direction.NONE:
            return (
                f"{where}: {spec.name} has no preferred direction, so `ci` cannot judge it. "
                f"Give how much it may change, such as {spec.name}:0.5.{_if_unknown(spec)}"
            )
        return None
    if spec.direction is Direction.HIGHER and rule.limit > 0:
        return (
            f"{where}: {spec.name} is better when higher, so its limit says how much it may drop "
            f"and must not be positive; write {spec.name}:{-rule.limit:g}."
        )
    if spec.direction is not Direction.HIGHER and rule.limit < 0:
        what = {
            Direction.LOWER: "is better when lower, so its limit says how much it may rise",
            Direction.TARGET: f"is better nearer to {spec.target}, so its limit says how much "
            "farther it may get",
            Direction.NONE: "has no better way, so its limit says how much it may change",
        }[spec.direction]
        return (
            f"{where}: {spec.name} {what} and must not be negative; write "
            f"{spec.name}:{-rule.limit:g}.{_if_unknown(spec)}"
        )
    return None


def _if_unknown(spec: MetricSpec) -> str:
    """Return why the metric is unknown, if an installed package would define it."""
    problem = unknown_because(spec.name.partition(".")[0])
    return f" {problem}" if problem else ""
