"""Requirements of a project on its results, from a YAML file and the flags.

alpha: 0.05
seeds: 3                       # pairs that every judged comparison needs
evals: [core, mig]             # results that every SAE must have, of every seed
strict: true                   # inconclusive does not pass
rules:
  core.ce_loss_score: -0.01    # may drop by at most 0.01
  "mig.*": ci                  # must not be worse
margins:
  core.ce_loss_score: 0.005    # what differs by less is equivalent
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from csae_bench.comparison.metrics import MetricSpec
from csae_bench.comparison.rules import Rule, check_rules, parse_rule, shortened
from csae_bench.config.yaml_files import read_yaml
from csae_bench.errors import ConfigError, did_you_mean
from csae_bench.support import old_names

Limit = Annotated[float, Field(allow_inf_nan=False, strict=True)] | Literal["ci"]
Margin = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]

_REQUIREMENTS = {
    "tuple_type": "it must be a list of names",
    "dict_type": "it must be a mapping",
    "string_type": "it must be a text",
}
"""Messages for errors that pydantic words in Python's terms."""


class PolicyFile(BaseModel):
    """A policy as it is written; every key may be left out, and an unknown one is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    alpha: Annotated[float, Field(gt=0, lt=0.5, strict=True)] = 0.05
    """Level of the tests, over all metrics that gate."""
    seeds: Annotated[int, Field(ge=1, strict=True)] = 1
    """Pairs of seeds that every comparison needs that a rule judges; without rules, every one that
    gates."""
    evals: tuple[str, ...] = ()
    """Evals whose results every SAE must have, for every seed for which it has any result."""
    strict: Annotated[bool, Field(strict=True)] = False
    """Whether an inconclusive verdict is not enough for `ci`."""
    rules: dict[str, Limit] = {}
    """Metric or glob -> how much it may change, or `ci`."""
    margins: dict[str, Margin] = {}
    """Metric or glob -> half width of what counts as equivalent."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Requirements that the gate checks."""

    rules: tuple[Rule, ...] = ()
    alpha: float = 0.05
    seeds: int = 1
    evals: tuple[str, ...] = ()
    strict: bool = False
    margins: Mapping[str, float] = field(default_factory=dict)
    source: str = ""
    """Path of the policy; empty without one."""
    asks: bool = True
    """Whether anything can fail it: False if it only sets alpha or margins."""

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence where a policy looks like a gate and is none."""
        if self.asks:
            return ()
        return (
            f"{self.source}: has no rules, evals or seeds: no regression makes this command fail.",
        )

    def gates(self, spec: MetricSpec) -> bool:
        """Return whether a metric gates: a rule is about it, or there is no rule and it may."""
        if not self.rules:
            return spec.may_gate
        return any(rule.covers(spec) for rule in self.rules)

    def check(self, metrics: Iterable[str]) -> None:
        """Check that every rule and margin names a known metric, and has the right sign.

        Raises:
            ConfigError: one sentence for each that is wrong.
        """
        names = sorted(set(metrics))
        check_rules(self.rules, names)
        problems = [
            f"{self.source}: margins.{shortened(pattern)} matches no metric of these results."
            f"{did_you_mean(pattern, names)}"
            for pattern in self.margins
            if not any(fnmatchcase(name, pattern) for name in names)
        ]
        if problems:
            raise ConfigError(problems)


def load_policy(path: Path | None, fail_on: Sequence[str], *, strict: bool = False) -> Policy:
    """Return the policy from a file, extended by the flags.

    Raises:
        ConfigError: the file cannot be read, or what is wrong with it, one sentence each.
        UsageError: a --fail-on has another form than METRIC:RULE.
    """
    flagged = tuple(parse_rule(text) for text in fail_on)
    if path is None:
        return Policy(rules=flagged, strict=strict)
    written = _validated(read_yaml(path), path)
    if not _asks(written, flagged):
        raise ConfigError(
            [
                f"{path}: asks for nothing, so that everything would pass. Give it rules, such as "
                "`rules: {core.ce_loss_score: -0.01}`, or evals or seeds; or leave out --policy."
            ]
        )
    rules = tuple(
        Rule(pattern=old_names.metric_pattern(pattern, str(path)), limit=limit, source=str(path))
        for pattern, limit in written.rules.items()
    )
    return Policy(
        rules=(*rules, *flagged),
        alpha=written.alpha,
        seeds=written.seeds,
        evals=written.evals,
        strict=strict or written.strict,
        margins={
            old_names.metric_pattern(pattern, str(path)): margin
            for pattern, margin in written.margins.items()
        },
        source=str(path),
        asks=bool(rules or flagged or written.evals or written.seeds > 1),
    )


def _asks(written: PolicyFile, flagged: Sequence[Rule]) -> bool:
    """Return whether a policy changes anything: a key that is empty or false does not.

    What is strict is a rule, so that `strict` alone changes nothing either.
    """
    given = {key for key in written.model_fields_set if getattr(written, key)}
    return bool(given - {"strict"} or (given and flagged))


def _validated(raw: dict[str, Any], path: Path) -> PolicyFile:
    try:
        return PolicyFile.model_validate(raw)
    except ValidationError as error:
        findings = cast(list[Mapping[str, Any]], error.errors())
        raise ConfigError(list(dict.fromkeys(_sentence(f, path) for f in findings))) from error


def _sentence(finding: Mapping[str, Any], path: Path) -> str:
    location = [str(part) for part in finding["loc"]]
    if finding["type"] == "extra_forbidden":
        allowed = sorted(PolicyFile.model_fields)
        return (
            f"{path}: unknown key '{shortened(location[0])}'.{did_you_mean(location[0], allowed)} "
            f"Allowed: {', '.join(allowed)}."
        )
    given = shortened(repr(finding["input"]))
    if finding["type"] == "invalid_key":
        return f"{path}: has the key {shortened(location[0])}; a key must be a text."
    if location[-1] == "[key]":
        return f"{path}: {location[0]} has the key {given}; it must be a text."
    if location[0] == "rules" and len(location) > 1:
        return (
            f"{path}: rules.{shortened(location[1])} is {given}; it must be a number, how much "
            "the metric may change, or ci, for a verdict."
        )
    requirement = _REQUIREMENTS.get(finding["type"]) or str(finding["msg"]).replace(
        "Input should be", "it must be", 1
    )
    return f"{path}: {shortened('.'.join(location))} is {given}; {requirement}."
