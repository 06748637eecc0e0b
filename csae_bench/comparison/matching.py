"""Matching of SAEs for comparison: families, their seeds, and which pairs are compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from csae_bench.comparison.model import Family, Reading, ResultSet, RunReading
from csae_bench.errors import UnknownNameError

MAX_FAMILIES = 6
"""Largest number of families of a release that are compared pairwise; more get values only."""

Seed = int | None
"""None if a published result does not say."""

_WHOLE_RUN = ("training", "validity")
_BAD = ("failed", "invalid")


@dataclass(frozen=True, kw_only=True)
class Member:
    """All that a results folder holds of one family; the runs are those of its SAEs."""

    family: Family
    readings: Mapping[str, Mapping[Seed, Reading]]
    """Eval -> seed -> its result."""
    runs: tuple[RunReading, ...]
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Metric -> its eval."""

    @property
    def seeds(self) -> frozenset[Seed]:
        """Seeds for which it has any result."""
        return frozenset(seed for by_seed in self.readings.values() for seed in by_seed)

    def of_metric(self, metric: str) -> Mapping[Seed, Reading]:
        """Seed -> the result that has this metric."""
        by_seed = self.readings.get(self.metrics.get(metric, ""), {})
        return {seed: reading for seed, reading in by_seed.items() if metric in reading.values}

    def cells(self, eval_name: str, sae_id: str) -> frozenset[str]:
        """Return the names of an eval's cell in an SAE's run record: a variant's ends in digits.

        Where that SAE has no result, those of the others' cells.
        """
        readings = self.readings.get(eval_name, {}).values()
        own = {reading.cell for reading in readings if reading.sae_id == sae_id}
        return frozenset(own or {reading.cell for reading in readings} or {eval_name})

    def troubles(self, eval_name: str) -> tuple[str, ...]:
        """Return why the numbers of an eval are meaningless: failed runs, invalid SAEs."""
        bad = [
            (run, status)
            for run in self.runs
            if (status := _status(run, self.cells(eval_name, run.sae_id)))
        ]
        problems = [
            f"{run.sae_id}: {status}: {'; '.join(run.problems) or 'no reason was recorded'}"
            for run, status in bad
        ]
        said = {run.sae_id for run, _ in bad}
        problems += [
            f"{reading.sae_id}: invalid: {'; '.join(reading.invalid)}"
            for reading in self.readings.get(eval_name, {}).values()
            if reading.invalid and reading.sae_id not in said
        ]
        return tuple(problems)


class Match(NamedTuple):
    """A candidate and its baseline; one of them may be missing."""

    candidate: Member | None
    baseline: Member


class Matched(NamedTuple):
    """Pairs of families to compare, and notes on the choice."""

    matches: tuple[Match, ...]
    notes: tuple[str, ...]


def members(results: ResultSet) -> tuple[dict[Family, Member], tuple[str, ...]]:
    """Return the families of a folder, and a sentence on each result that another one replaces.

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
    families = {*readings, *runs}
    by_family = {
        family: Member(
            family=family,
            readings={name: dict(by_seed) for name, by_seed in readings[family].items()},
            runs=tuple(runs.get(family.first, ())),
            metrics={
                metric: name
                for name, by_seed in readings[family].items()
                for reading in by_seed.values()
                for metric in reading.values
            },
        )
        for family in sorted(families)
    }
    return by_family, tuple(notes)


def with_baseline(
    candidates: Mapping[Family, Member], baselines: Mapping[Family, Member]
) -> Matched:
    """Pair families of the same release and name; and the two of a release with one on each side.

    A variant is compared only with the same variant.
    """
    pairs = {family: family for family in baselines if family in candidates}
    for release in {family.release for family in baselines}:
        mine = {family.first for family in candidates if family.release == release}
        theirs = {family.first for family in baselines if family.release == release}
        if len(mine) == len(theirs) == 1:
            (only,) = mine
            twins = {base: only._replace(variant=base.variant) for base in baselines}
            pairs |= {
                base: twin
                for base, twin in twins.items()
                if base.release == release and twin in candidates
            }
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
    """Return a note if an SAE is compared with one of another name."""
    return (
        f"{candidate.name} is compared with {baseline.name}, an SAE of another name: each is the "
        f"only one of {baseline.release} on its side. The baseline has no {candidate.name}, and "
        f"the results have no {baseline.name}."
    )


def among_themselves(by_family: Mapping[Family, Member]) -> Matched:
    """Pair all SAEs of a release, the earlier name as the baseline; up to 6 of a release."""
    matches: list[Match] = []
    notes: list[str] = []
    for release, of_release in _by_release(by_family).items():
        n_saes = len({member.family.sae for member in of_release})
        if n_saes > MAX_FAMILIES:
            notes.append(
                f"{release}: {n_saes} SAEs are more than the {MAX_FAMILIES} that are "
                "compared each with each; there are values only. Give --baseline DIR or --against "
                "NAME."
            )
            continue
        matches += [
            Match(later, earlier)
            for earlier, later in combinations(of_release, 2)
            if earlier.family.variant == later.family.variant
        ]
        if n_saes > 1:
            notes += _alone(of_release, matches)
    return Matched(tuple(matches), tuple(notes))


def against(by_family: Mapping[Family, Member], name: str) -> Matched:
    """Pair every family with the one called `name`, or with its variants, within its release.

    Raises:
        UnknownNameError: no family has this name.
    """
    baselines = [
        member for family, member in by_family.items() if name in (family.name, family.sae)
    ]
    if not baselines:
        raise UnknownNameError("SAE", name, {family.name for family in by_family})
    by_release = _by_release(by_family)
    matches = [
        Match(member, baseline)
        for baseline in baselines
        for member in by_release[baseline.family.release]
        if member is not baseline and member.family.variant == baseline.family.variant
    ]
    releases = dict.fromkeys(baseline.family.release for baseline in baselines)
    notes = [note for release in releases for note in _alone(by_release[release], matches)]
    return Matched(tuple(matches), tuple(notes))


def paired_seeds(
    candidate: Iterable[Seed], baseline: Iterable[Seed]
) -> tuple[list[tuple[Seed, Seed]], list[str]]:
    """Return the seeds that both have, and a sentence if some are left over.

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
    """Return the seeds in words: `seeds 1, 2`."""
    known = sorted(seed for seed in seeds if seed is not None)
    parts = [f"seed{'s' * (len(known) > 1)} {', '.join(map(str, known))}"] if known else []
    return " and ".join(parts + ["a result without a seed"] * (None in seeds))


def _alone(of_release: Iterable[Member], matches: Iterable[Match]) -> list[str]:
    """Return a sentence for each variant that no other SAE has."""
    there = {member.family for match in matches for member in match if member is not None}
    return [
        f"{member.family.name} of {member.family.release}: no other SAE has this result, so it is "
        "compared with nothing; --json and --html have its values."
        for member in of_release
        if member.family.variant and member.family not in there
    ]


def _status(run: RunReading, cells: Iterable[str]) -> str | None:
    """Return failed or invalid if a run's status makes the numbers of an eval's cells void."""
    bad = {name: status for name, status in run.cells.items() if status in _BAD}
    for name in (*_WHOLE_RUN, *sorted(cells)):
        if name in bad:
            return bad[name]
    # a run that was refused before it started has no cell that says so
    return run.status if run.status in _BAD and not bad else None


def _by_release(by_family: Mapping[Family, Member]) -> dict[str, list[Member]]:
    by_release: dict[str, list[Member]] = defaultdict(list)
    for family in sorted(by_family):
        by_release[family.release].append(by_family[family])
    return by_release


def _named(seed: Seed) -> str:
    return "seed unknown" if seed is None else f"seed {seed}"
