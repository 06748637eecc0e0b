"""Who takes part in the leaderboard: each family of a folder, with its values and its kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from csae_bench.comparison.matching import Member, members
from csae_bench.comparison.model import Condition, ResultSet
from csae_bench.comparison.outputs.best_of import Entrant
from csae_bench.comparison.outputs.values import FamilyValue, family_values
from csae_bench.config.baselines import SaeKind, kind_of


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One family."""

    entrant: Entrant
    values: Mapping[str, FamilyValue]
    kind: SaeKind
    status: str
    """failed or invalid, where it has no value for that reason; else empty."""
    reason: str
    """Why it is."""


def contenders_of(results: ResultSet, alpha: float, *, is_baseline: bool) -> Iterator[Contender]:
    """Yield the families of a folder, except results under further conditions."""
    values = family_values(results, alpha)
    by_family, _ = members(results)
    for family, member in by_family.items():
        if family.variant:
            continue
        of_family = values.get(family, {})
        status, reason = ("", "") if of_family else _why_nothing(member)
        means = {metric: value.mean for metric, value in of_family.items()}
        yield Contender(
            entrant=Entrant(is_baseline=is_baseline, member=member, means=means),
            values=of_family,
            kind=kind_of(_architecture(member)),
            status=status,
            reason=reason,
        )


def why_no_value(contender: Contender, metric: str) -> str:
    """Return why a family has no value of a metric."""
    if contender.status:
        return contender.reason
    member, eval_name = contender.entrant.member, metric.partition(".")[0]
    for reading in member.readings.get(eval_name, {}).values():
        return reading.reasons.get(metric, "no such value in its result")
    statuses = {run.cells[eval_name] for run in member.runs if eval_name in run.cells}
    return ", ".join(sorted(statuses - {"ok"})) or "no result"


def subject_of_member(member: Member) -> str:
    """Return the model and the hook of a family; empty if it has no result."""
    for by_seed in member.readings.values():
        for reading in by_seed.values():
            return subject_of(reading.conditions)
    return ""


def subject_of(conditions: Mapping[str, Condition]) -> str:
    """Return the model and the hook of a result."""
    parts = (conditions.get("model"), conditions.get("hook_name"))
    return ", ".join(str(part) for part in parts if part)


def _why_nothing(member: Member) -> tuple[str, str]:
    for run in member.runs:
        if run.status in ("failed", "invalid"):
            return run.status, "; ".join(run.problems)
    readings = chain.from_iterable(by_seed.values() for by_seed in member.readings.values())
    reasons = dict.fromkeys(reason for reading in readings for reason in reading.invalid)
    return ("invalid", "; ".join(reasons)) if reasons else ("", "")


def _architecture(member: Member) -> str | None:
    for by_seed in member.readings.values():
        for reading in by_seed.values():
            if reading.architecture:
                return reading.architecture
    return None
