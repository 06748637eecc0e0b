"""Which SAE is compared with which: families, their seeds, and who stands against whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from csae_bench.compare.model import Family, Reading, ResultSet, RunReading
from csae_bench.errors import UnknownNameError

MAX_FAMILIES = 6
"""Families of one release that are compared each with each; more have values only."""

Seed = int | None
"""None where a published result does not say."""

_WHOLE_RUN = ("training", "validity")
_BAD = ("failed", "invalid")


@dataclass(frozen=True, kw_only=True)
class Member:
    """All that a results folder holds of one family."""

    family: Family
    readings: Mapping[str, Mapping[Seed, Reading]]
    """Eval -> seed -> its result."""
    runs: tuple[RunReading, ...]
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Metric -> its eval."""

    @property
    def seeds(self) -> frozenset[Seed]:
        """Seeds that it has any result of."""
        return frozenset(seed for by_seed in self.readings.values() for seed in by_seed)

    def of_metric(self, metric: str) -> Mapping[Seed, Reading]:
        """Seed -> the result that has this metric."""
        found = self.readings.get(self.metrics.get(metric, ""), {})
        return {seed: reading for seed, reading in found.items() if metric in reading.values}

    def troubles(self, eval_name: str) -> tuple[str, ...]:
        """Why the numbers of an eval mean nothing: runs that failed, SAEs that are invalid."""
        bad = [(run, status) for run in self.runs if (status := _status(run, eval_name))]
        found = [
            f"{run.sae_id}: {status}: {'; '.join(run.problems) or 'no reason was recorded'}"
            for run, status in bad
        ]
        said = {run.sae_id for run, _ in bad}
        found += [
            f"{reading.sae_id}: invalid: {'; '.join(reading.invalid)}"
            for reading in self.readings.get(eval_name, {}).values()
            if reading.invalid and reading.sae_id not in said
        ]
        return tuple(found)


class Match(NamedTuple):
    """A candidate and its baseline; one of them may be missing."""

    candidate: Member | None
    baseline: Member


class Matched(NamedTuple):
    """Who is compared with whom, and what a reader must know of the choice."""

    matches: tuple[Match, ...]
    notes: tuple[str, ...]


def members(results: ResultSet) -> tuple[dict[Family, Member], tuple[str, ...]]:
    """The families of a folder, and a sentence on each result that another one replaces.

    Of two results of one SAE, eval and seed the newer one counts.
    """
    readings: dict[Family, dict[str, dict[Seed, Reading]]] = defaultdict(lambda: defaultdict(dict))
    runs: dict[Family, list[RunReading]] = defaultdict(list)
    notes: list[str] = []
    for reading in sorted(results.readings, key=lambda r: (r.epoch_millis or 0, str(r.path))):
        of_eval = readings[reading.family][reading.eval_name]
        older = of_eval.get(reading.seed)
        if older is not None:
            notes.append(
                f"{reading.path} is counted and {older.path} is not: both are "
                f"{reading.eval_name} of {reading.family.name}, {_named(reading.seed)}, "
                "and it is the newer one."
            )
        of_eval[reading.seed] = reading
    for run in results.runs:
        runs[run.family].append(run)
    found = {
        family: Member(
            family=family,
            readings={name: dict(by_seed) for name, by_seed in readings[family].items()},
            runs=tuple(runs[family]),
            metrics={
                metric: name
                for name, by_seed in readings[family].items()
                for reading in by_seed.values()
                for metric in reading.values
            },
        )
        for family in sorted({*readings, *runs})
    }
    return found, tuple(notes)


def with_baseline(
    candidates: Mapping[Family, Member], baselines: Mapping[Family, Member]
) -> Matched:
    """Families of the same release and name; of a release with one on each side, those two."""
    pairs = {family: family for family in baselines if family in candidates}
    for release in {family.release for family in baselines}:
        mine = [family for family in candidates if family.release == release]
        theirs = [family for family in baselines if family.release == release]
        if len(mine) == len(theirs) == 1:
            pairs[theirs[0]] = mine[0]
    notes = [
        f"{baseline.name} of {baseline.release} has no counterpart in the candidate's results."
        for baseline in baselines
        if baseline not in pairs
    ]
    notes += [
        other_name(candidate, baseline)
        for baseline, candidate in pairs.items()
        if candidate.name != baseline.name
    ]
    notes += [
        f"{candidate.name} of {candidate.release} has no counterpart in the baseline: "
        "it is new, and compared with nothing."
        for candidate in candidates
        if candidate not in pairs.values()
    ]
    matches = [
        Match(candidates[pairs[family]] if family in pairs else None, member)
        for family, member in baselines.items()
    ]
    return Matched(tuple(matches), tuple(notes))


def other_name(candidate: Family, baseline: Family) -> str:
    """What a reader must know where an SAE is compared with one of another name."""
    return (
        f"{candidate.name} is compared with {baseline.name}, an SAE of another name: each is the "
        f"only one of {baseline.release} on its side. The baseline has no {candidate.name}, and "
        f"the results have no {baseline.name}."
    )


def among_themselves(found: Mapping[Family, Member]) -> Matched:
    """Every two families of a release, the earlier name as the baseline; up to 6 of a release."""
    matches: list[Match] = []
    notes: list[str] = []
    for release, of_release in _by_release(found).items():
        if len(of_release) > MAX_FAMILIES:
            notes.append(
                f"{release}: {len(of_release)} SAEs are more than the {MAX_FAMILIES} that are "
                "compared each with each; there are values only. Give --baseline DIR or --against "
                "NAME."
            )
            continue
        matches += [Match(later, earlier) for earlier, later in combinations(of_release, 2)]
    return Matched(tuple(matches), tuple(notes))


def against(found: Mapping[Family, Member], name: str) -> Matched:
    """Every family beside the one called `name`, within its release.

    Raises:
        UnknownNameError: no family has this name.
    """
    baselines = [member for family, member in found.items() if family.name == name]
    if not baselines:
        raise UnknownNameError("SAE", name, {family.name for family in found})
    by_release = _by_release(found)
    return Matched(
        tuple(
            Match(member, baseline)
            for baseline in baselines
            for member in by_release[baseline.family.release]
            if member is not baseline
        ),
        (),
    )


def paired_seeds(
    candidate: Iterable[Seed], baseline: Iterable[Seed]
) -> tuple[list[tuple[Seed, Seed]], list[str]]:
    """Seeds that both have, and a sentence where some are left over.

    One result on each side makes a pair where a seed is not known.
    """
    mine, theirs = set(candidate), set(baseline)
    if len(mine) == len(theirs) == 1 and mine != theirs and None in mine | theirs:
        pair = (mine.pop(), theirs.pop())
        return [pair], ["The seeds are not known to be the same."]
    both = sorted(mine & theirs, key=lambda seed: (seed is None, seed or 0))
    left_over = [
        f"Only the {side} has {listed(seeds)}."
        for side, seeds in (("candidate", mine - theirs), ("baseline", theirs - mine))
        if seeds
    ]
    return [(seed, seed) for seed in both], left_over


def listed(seeds: Set[Seed]) -> str:
    """Seeds in words: `seeds 1, 2`."""
    known = sorted(seed for seed in seeds if seed is not None)
    parts = [f"seed{'s' * (len(known) > 1)} {', '.join(map(str, known))}"] if known else []
    return " and ".join(parts + ["a result without a seed"] * (None in seeds))


def _status(run: RunReading, eval_name: str) -> str | None:
    """failed or invalid, where a run's status makes the numbers of an eval meaningless."""
    bad = {name: status for name, status in run.cells.items() if status in _BAD}
    for name in (*_WHOLE_RUN, eval_name):
        if name in bad:
            return bad[name]
    # a run that was refused before it started has no cell that says so
    return run.status if run.status in _BAD and not bad else None


def _by_release(found: Mapping[Family, Member]) -> dict[str, list[Member]]:
    by_release: dict[str, list[Member]] = defaultdict(list)
    for family in sorted(found):
        by_release[family.release].append(found[family])
    return by_release


def _named(seed: Seed) -> str:
    return "seed unknown" if seed is None else f"seed {seed}"
