"""The best of several SAEs on one metric, and which others are within its noise.

By the statistics of `compare`, an SAE is within the noise of the best where the interval of their
difference holds 0 (over pairs of training seeds, or from the known spread between seeds), and where
the difference is one that the eval's own seeds make, or that counts as equivalent. Where nothing of
this is known, as with one result each, the evals' own intervals count if both have one: they
overlap or they do not. Where they have none, it is not known. Nothing is corrected for the number
of SAEs: this marks what could as well be the best, and is no verdict on the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from csae_bench.comparison.comparability import mismatches
from csae_bench.comparison.comparisons import CompareOptions, draft_of, spec_of
from csae_bench.comparison.matching import Match, Member
from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import Comparison, Reading, Verdict
from csae_bench.comparison.verdicts import conclude
from csae_bench.evals.metric_rows import Direction


class Mark(StrEnum):
    """Place of an SAE among the others on a metric."""

    BEST = "best"
    """The best, and its noise is known."""
    NEAR = "near"
    """Within the noise of the best."""
    FIRST = "first"
    """The best value; whether another SAE is as good is not known."""
    APART = "apart"
    """Measured under other conditions than most: it takes no part."""
    NONE = ""


class Basis(StrEnum):
    """What a column's marks rest on."""

    TEST = "test"
    INTERVALS = "intervals"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """One SAE that takes part, with the side that it is on."""

    is_baseline: bool
    member: Member
    means: Mapping[str, float]
    """Metric -> mean over seeds."""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """The order on one metric."""

    best: int | None
    """Its place among the entrants; None: there are fewer than two, or no way is better."""
    marks: Mapping[int, Mark]
    """Place among the entrants -> mark; those without one are left out."""
    order: tuple[int, ...]
    """Places of those that take part, the best first."""
    why: Mapping[int, str]
    """Conditions in which one differs that takes no part."""
    basis: frozenset[Basis]


@dataclass(frozen=True)
class _Race:
    """One metric before its tests."""

    metric: str
    order: tuple[int, ...]
    why_apart: Mapping[int, str]

    @property
    def best(self) -> int:
        return self.order[0]

    @property
    def others(self) -> tuple[int, ...]:
        return self.order[1:]


def rank_all(
    entrants: Sequence[Entrant], metrics: Sequence[str], alpha: float
) -> dict[str, Ranked]:
    """Return the order on each metric.

    Args:
        alpha: intervals have level 1 - alpha.
    """
    races = [race for metric in metrics if (race := _race(entrants, metric)) is not None]
    options = CompareOptions(alpha=alpha)
    drafts = {
        (race.metric, other): draft_of(
            Match(entrants[other].member, entrants[race.best].member),
            spec_of(race.metric, options),
            options,
        )
        for race in races
        for other in race.others
    }
    tested = dict(zip(drafts, conclude(list(drafts.values()), alpha), strict=True))
    ranked = {race.metric: _ranked(race, entrants, tested) for race in races}
    nobody = Ranked(best=None, marks={}, order=(), why={}, basis=frozenset())
    return {metric: ranked.get(metric, nobody) for metric in metrics}


def distance(metric: str, value: float) -> float:
    """Return a value's place in the order of a metric: the smaller, the better."""
    spec = lookup(metric)
    if spec.direction is Direction.TARGET:
        return abs(value - (spec.target or 0.0))
    return -value if spec.direction is Direction.HIGHER else value


def _race(entrants: Sequence[Entrant], metric: str) -> _Race | None:
    if lookup(metric).direction is Direction.NONE:
        return None
    there = [i for i, entrant in enumerate(entrants) if metric in entrant.means]
    alike, why_apart = _comparable(entrants, there, metric)
    if len(alike) < 2:
        return None
    order = sorted(alike, key=lambda i: distance(metric, entrants[i].means[metric]))
    return _Race(metric, tuple(order), why_apart)


def _comparable(
    entrants: Sequence[Entrant], places: Sequence[int], metric: str
) -> tuple[list[int], dict[int, str]]:
    """Return the largest group that was measured under equal conditions; how others differ."""
    groups: list[list[int]] = []
    for place in places:
        reading = _first(entrants[place], metric)
        for group in groups:
            if not mismatches(reading, _first(entrants[group[0]], metric), metric):
                group.append(place)
                break
        else:
            groups.append([place])
    largest = max(groups, key=len, default=[])
    why = {
        place: ", ".join(
            mismatches(
                _first(entrants[place], metric), _first(entrants[largest[0]], metric), metric
            )
        )
        for group in groups
        if group is not largest
        for place in group
    }
    return largest, why


def _first(entrant: Entrant, metric: str) -> Reading:
    return next(iter(entrant.member.of_metric(metric).values()))


def _ranked(
    race: _Race, entrants: Sequence[Entrant], tested: Mapping[tuple[str, int], Comparison]
) -> Ranked:
    marks: dict[int, Mark] = dict.fromkeys(race.why_apart, Mark.APART)
    basis: set[Basis] = set()
    for other in race.others:
        row = tested[race.metric, other]
        on, is_near = _judged(row, race.metric, entrants[other], entrants[race.best])
        basis.add(on)
        if is_near:
            marks[other] = Mark.NEAR
    marks[race.best] = Mark.FIRST if Basis.UNKNOWN in basis else Mark.BEST
    return Ranked(
        best=race.best,
        marks=marks,
        order=race.order,
        why=race.why_apart,
        basis=frozenset(basis),
    )


def _judged(row: Comparison, metric: str, other: Entrant, best: Entrant) -> tuple[Basis, bool]:
    """Return what is known of the noise between the two, and whether they are within it."""
    difference, interval = row.difference, row.interval
    if row.verdict is Verdict.EQUIVALENT:
        return Basis.TEST, True
    if difference is not None and row.noise_of_eval and abs(difference) <= row.noise_of_eval:
        return Basis.TEST, True
    if interval is not None:
        return Basis.TEST, interval.low <= 0 <= interval.high
    if difference is not None and (floor := lookup(metric).noise_floor) is not None:
        return Basis.TEST, abs(difference) <= floor
    ends = [own_interval(entrant.member, metric) for entrant in (other, best)]
    if ends[0] is None or ends[1] is None:
        return Basis.UNKNOWN, False
    (low, high), (best_low, best_high) = ends[0], ends[1]
    return Basis.INTERVALS, low <= best_high and best_low <= high


def own_interval(member: Member, metric: str) -> tuple[float, float] | None:
    """Return the 95% interval that an eval gives its single result; None of several seeds."""
    readings = list(member.of_metric(metric).values())
    if len(readings) != 1:
        return None
    low, high = (readings[0].values.get(f"{metric}_{end}") for end in ("low", "high"))
    return None if low is None or high is None else (low, high)
