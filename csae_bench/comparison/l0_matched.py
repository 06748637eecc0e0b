"""SAEs at equal L0: each metric read off two sparsity curves at the same place.

A curve is the SAEs that differ in their sparsity and seed alone. Between its points it is monotone
cubic (PCHIP: no overshoot) in log L0; beyond them it is unknown, so that only the overlap of both
curves is used. Each seed has a curve of its own, and the pairs of seeds are tested as any others.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, takewhile

import numpy as np

from csae_bench.comparison.comparability import mismatch_sentence, mismatches, with_known_sd
from csae_bench.comparison.matching import MAX_FAMILIES, Match, Member, Seed, paired_seeds
from csae_bench.comparison.metrics import MetricSpec
from csae_bench.comparison.model import Condition, Family, Reading, Verdict
from csae_bench.comparison.verdicts import Draft
from csae_bench.evals.metric_rows import Direction

L0 = "core.l0"
AT_L0 = "@l0="
"""Between a metric and where on the curves it was read: `core.ce_loss_score@l0=18`."""

Point = tuple[float, float]
"""L0 and value."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """SAEs that differ in their sparsity and seed alone."""

    family: Family
    """Their release, and the common part of their names."""
    members: tuple[Member, ...]

    @property
    def seeds(self) -> frozenset[Seed]:
        """Seeds for which any of its SAEs has an L0."""
        return frozenset(seed for member in self.members for seed in member.of_metric(L0))

    def points(self, metric: str, seed: Seed) -> list[Point]:
        """Return L0 and value of each SAE of that seed, by L0; of equal L0s the mean value."""
        values: dict[float, list[float]] = defaultdict(list)
        for member in self.members:
            core, reading = member.of_metric(L0).get(seed), member.of_metric(metric).get(seed)
            l0 = core.values[L0] if core is not None else None
            value = reading.values[metric] if reading is not None else None
            if l0 is not None and l0 > 0 and value is not None:
                values[l0].append(value)
        return [(l0, math.fsum(of_l0) / len(of_l0)) for l0, of_l0 in sorted(values.items())]

    def readings(self, metric: str) -> list[Reading]:
        """Return all of its results that have this metric."""
        return [r for member in self.members for r in member.of_metric(metric).values()]


def at_l0(points: Sequence[Point], l0: float) -> float:
    """Return the value of a curve at an L0, by monotone cubic interpolation in log L0.

    Args:
        points: at least two, L0 positive and rising.

    Raises:
        ValueError: `l0` is beyond the curve's ends.
    """
    from scipy.interpolate import PchipInterpolator

    x, y = np.log([p[0] for p in points]), [p[1] for p in points]
    if not points[0][0] <= l0 <= points[-1][0]:
        raise ValueError(f"L0 {l0} is not within {points[0][0]} to {points[-1][0]}")
    # the logarithm of an end may differ from x's by rounding
    with np.errstate(over="ignore"):  # between values so near each other, the slope is 0 anyway
        return float(PchipInterpolator(x, y)(np.clip(math.log(l0), x[0], x[-1])))


def overlap(curves: Sequence[Sequence[Point]]) -> tuple[float, float] | None:
    """Return the lowest and highest L0 that all curves reach; None if there is no overlap."""
    low = max(points[0][0] for points in curves)
    high = min(points[-1][0] for points in curves)
    return (low, high) if low <= high else None


def curves(by_family: Mapping[Family, Member]) -> tuple[Curve, ...]:
    """Return the sparsity curves of a folder: two or more valid SAEs of different L0 each."""
    by_curve: dict[tuple[str, str, str], list[Member]] = defaultdict(list)
    for family, member in by_family.items():
        readings = member.of_metric(L0).values()
        if readings and not member.troubles("core"):
            curve = next(iter(readings)).curve
            by_curve[family.release, family.variant, curve].append(member)
    of_several = {key: tuple(of) for key, of in sorted(by_curve.items()) if len(of) > 1}
    names = {key: _name(of) for key, of in of_several.items()}
    counts = Counter((*key[:2], name) for key, name in names.items())
    return tuple(
        Curve(
            family=Family(
                key[0],
                names[key] if counts[*key[:2], names[key]] == 1 else _long_name(members),
                key[1],
            ),
            members=members,
        )
        for key, members in of_several.items()
    )


def matched_curves(
    candidates: Sequence[Curve], baselines: Sequence[Curve], matches: Sequence[Match]
) -> list[tuple[Curve, Curve]]:
    """Pair the curves that match; also the only curves of a release on each side."""
    stand = {
        (match.candidate.family, match.baseline.family)
        for match in matches
        if match.candidate is not None
    }

    def is_pair(mine: Curve, theirs: Curve) -> bool:
        return any(
            (a.family, b.family) in stand for a in mine.members for b in theirs.members
        ) or all(
            [_group(c) for c in side].count(_group(mine)) == 1 for side in (candidates, baselines)
        )

    return [
        (mine, theirs)
        for theirs in baselines
        for mine in candidates
        if _group(mine) == _group(theirs) and is_pair(mine, theirs)
    ]


def curves_among_themselves(
    all_curves: Sequence[Curve], against: str | None
) -> list[tuple[Curve, Curve]]:
    """Pair all curves of a release, up to 6 of it; or all with the one that has `against`."""
    pairs: list[tuple[Curve, Curve]] = []
    for group in dict.fromkeys(map(_group, all_curves)):
        of_release = [curve for curve in all_curves if _group(curve) == group]
        if against is not None:
            pairs += [
                (curve, baseline)
                for baseline in of_release
                if any(against in (m.family.name, m.family.sae) for m in baseline.members)
                for curve in of_release
                if curve is not baseline
            ]
        elif len(of_release) <= MAX_FAMILIES:
            pairs += [(later, earlier) for earlier, later in combinations(of_release, 2)]
    return pairs


def _group(curve: Curve) -> tuple[str, str]:
    """Return a key: only curves of the same release and variant are compared."""
    return curve.family.release, curve.family.variant


def drafts_at_l0(
    pairs: Sequence[tuple[Curve, Curve]],
    spec_of: Callable[[str], MetricSpec],
    gates: Callable[[MetricSpec], bool],
    *,
    allow_mismatch: bool,
) -> Iterator[Draft]:
    """Compare at each L0 of the baseline's SAEs within the overlap, on metrics that gate."""
    for mine, theirs in pairs:
        seeds, _ = paired_seeds(mine.seeds, theirs.seeds)
        for metric in _metrics(mine, theirs):
            spec = spec_of(metric)
            if spec.direction is not Direction.NONE and gates(spec):
                yield from _of_metric(mine, theirs, spec, seeds, allow_mismatch=allow_mismatch)


def _of_metric(
    mine: Curve,
    theirs: Curve,
    spec: MetricSpec,
    seeds: Sequence[tuple[Seed, Seed]],
    *,
    allow_mismatch: bool,
) -> Iterator[Draft]:
    both = [(mine.points(spec.name, a), theirs.points(spec.name, b)) for a, b in seeds]
    both = [pair for pair in both if min(map(len, pair)) > 1]
    within = overlap([points for pair in both for points in pair]) if both else None
    if within is None:
        return
    spec = with_known_sd(spec, (*mine.readings(spec.name), *theirs.readings(spec.name)))
    differing = _mismatches(mine, theirs, spec.name)
    refused = Verdict.INCOMPARABLE if differing and not allow_mismatch else None
    for l0 in _places([points for _, points in both], within):
        values = [(at_l0(ours, l0), at_l0(base, l0)) for ours, base in both]
        yield Draft(
            spec=replace(spec, name=f"{spec.name}{AT_L0}{l0:.4g}"),
            candidate=mine.family,
            baseline=theirs.family,
            # it informs: the numbers that gate are measured, these are read between measurements
            gates=False,
            candidate_values=tuple(value for value, _ in values),
            baseline_values=tuple(value for _, value in values),
            mismatches=differing,
            notes=(
                f"Read at L0 {l0:.4g} between {len(mine.members)} and {len(theirs.members)} SAEs.",
                *(f"{mismatch_sentence(name, *pair)}." for name, pair in differing.items()),
            ),
            refused=refused,
        )


def _mismatches(mine: Curve, theirs: Curve, metric: str) -> dict[str, tuple[Condition, Condition]]:
    """Return the conditions of the metric, or of the L0 where it is read, that differ anywhere."""
    differing: dict[str, tuple[Condition, Condition]] = {}
    for read in dict.fromkeys((metric, L0)):
        ours, base = mine.readings(read), theirs.readings(read)
        # a curve may differ within itself; each with each would take n^2
        for a, b in (*((a, base[0]) for a in ours), *((ours[0], b) for b in base)):
            for name, pair in mismatches(a, b, read).items():
                differing.setdefault(name, pair)
    return differing


def _places(baselines: Sequence[Sequence[Point]], within: tuple[float, float]) -> list[float]:
    """Return the baseline's mean L0s over seeds within the overlap, or else its middle."""
    low, high = within
    n = min(len(points) for points in baselines)
    means = (math.fsum(points[i][0] for points in baselines) / len(baselines) for i in range(n))
    return [l0 for l0 in means if low <= l0 <= high] or [math.sqrt(low * high)]


def _metrics(mine: Curve, theirs: Curve) -> list[str]:
    theirs_have = {metric for member in theirs.members for metric in member.metrics}
    ours = dict.fromkeys(metric for member in mine.members for metric in member.metrics)
    return [metric for metric in ours if metric in theirs_have and metric != L0]


def _long_name(members: Sequence[Member]) -> str:
    """Return a curve's name if the common part of its SAEs' names is not unique."""
    first = min(member.family.sae for member in members)
    return f"{first} and {len(members) - 1} more"


def _name(members: Sequence[Member]) -> str:
    """Return the common part of the names of a curve's SAEs, or the first and the last name."""
    names = sorted(member.family.sae for member in members)
    parts = zip(*(re.split(r"([-_./ ]+)", name) for name in names), strict=False)
    common = "".join(part[0] for part in takewhile(lambda part: len(set(part)) == 1, parts))
    return common.rstrip("-_./ ") or f"{names[0]} ... {names[-1]}"
