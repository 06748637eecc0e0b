"""Verdicts from paired values; all tests of a report are corrected together.

A difference is established where its p, after Holm's correction, is at most alpha, and from 10
pairs on neither the sign-flip test nor the bootstrap objects. An interval that lies within the
metric's margin is `equivalent` even where it leaves out 0: what differs by less does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from csae_bench.comparison.metrics import MetricSpec
from csae_bench.comparison.model import Comparison, Condition, Family, Verdict
from csae_bench.comparison.statistics import (
    PairedTest,
    holm,
    is_equivalent,
    paired_test,
    smallest_detectable,
)
from csae_bench.evals.metric_rows import Direction


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A comparison before its verdict."""

    spec: MetricSpec
    """The metric with the margin in effect: the policy's, or the registry's."""
    candidate: Family
    baseline: Family
    gates: bool
    candidate_values: tuple[float, ...] = ()
    """Values, one per pair."""
    baseline_values: tuple[float, ...] = ()
    noise_of_eval: float | None = None
    """Difference that the eval's own seeds make by chance (95%); None: not known."""
    mismatches: Mapping[str, tuple[Condition, Condition]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Notes for the reader, in addition to the verdict's own reasons."""
    refused: Verdict | None = None
    """Why there is nothing to test: incomparable, invalid or missing; `notes` says more."""

    @property
    def differences(self) -> tuple[float, ...]:
        """Candidate minus baseline, one per pair; with a target, of the distances to it."""
        return tuple(
            self._judged(mine) - self._judged(theirs)
            for mine, theirs in zip(self.candidate_values, self.baseline_values, strict=True)
        )

    def _judged(self, value: float) -> float:
        target = self.spec.target
        return value if target is None else abs(value - target)


def conclude(drafts: Sequence[Draft], alpha: float) -> tuple[Comparison, ...]:
    """Return the verdicts for all comparisons of a report, in the order given.

    Holm's correction is over the metrics that gate and, apart from them, over those that only
    inform: no number of the latter makes the former less certain. A metric that only describes
    takes no part.
    """
    tests = [None if d.refused else _test(d, alpha) for d in drafts]
    p_holm: dict[int, float] = {}
    n_tests: dict[bool, int] = {}
    for gates in (True, False):
        tested = [
            (i, test.p)
            for i, test in enumerate(tests)
            if test is not None and test.p is not None
            if drafts[i].gates == gates and drafts[i].spec.direction is not Direction.NONE
        ]
        corrected = holm([p for _, p in tested])
        p_holm.update({i: p for (i, _), p in zip(tested, corrected, strict=True)})
        n_tests[gates] = len(tested)
    return tuple(
        _refused(draft)
        if test is None
        else _concluded(draft, test, p_holm.get(i), n_tests[draft.gates], alpha)
        for i, (draft, test) in enumerate(zip(drafts, tests, strict=True))
    )


def _test(draft: Draft, alpha: float) -> PairedTest:
    differences = np.array(draft.differences, dtype=np.float64)
    return paired_test(differences, alpha=alpha, seed_sd=draft.spec.sd_between_seeds)


def _refused(draft: Draft) -> Comparison:
    assert draft.refused is not None
    return Comparison(
        metric=draft.spec.name,
        candidate=draft.candidate,
        baseline=draft.baseline,
        verdict=draft.refused,
        reasons=draft.notes,
        candidate_mean=_mean(draft.candidate_values),
        baseline_mean=_mean(draft.baseline_values),
        margin=draft.spec.margin,
        gates=draft.gates,
        mismatches=draft.mismatches,
    )


def _concluded(
    draft: Draft, test: PairedTest, p_holm: float | None, n_tests: int, alpha: float
) -> Comparison:
    verdict, why = _verdict(draft, test, p_holm, n_tests, alpha)
    detectable = smallest_detectable(test, alpha=alpha, n_tests=n_tests)
    if verdict is Verdict.INCONCLUSIVE and detectable is not None:
        why = (*why, f"A difference of {detectable:.3g} would be found with 80% power.")
    if draft.noise_of_eval is not None:
        why = (*why, f"The eval's own seeds make differences of up to {draft.noise_of_eval:.2g}.")
    if draft.spec.target is not None:
        why = (*why, f"Judged by the distance to {draft.spec.target:g}.")
    return Comparison(
        metric=draft.spec.name,
        candidate=draft.candidate,
        baseline=draft.baseline,
        verdict=verdict,
        reasons=(*why, *draft.notes),
        n_pairs=test.n_pairs,
        candidate_mean=_mean(draft.candidate_values),
        baseline_mean=_mean(draft.baseline_values),
        difference=test.mean,
        interval=test.interval,
        p=test.p,
        p_holm=p_holm,
        permutation_p=test.permutation_p,
        bootstrap=test.bootstrap,
        noise_of_eval=draft.noise_of_eval,
        smallest_detectable=detectable,
        margin=draft.spec.margin,
        gates=draft.gates,
        mismatches=draft.mismatches,
    )


def _verdict(
    draft: Draft, test: PairedTest, p_holm: float | None, n_tests: int, alpha: float
) -> tuple[Verdict, tuple[str, ...]]:
    spec, noise = draft.spec, draft.noise_of_eval
    floor = spec.noise_floor
    exceeds = floor is None or abs(test.mean) > floor
    if test.n_pairs > 1 and test.mean == 0 and test.is_constant:
        return Verdict.EQUIVALENT, ("The same in every pair.",)
    if spec.direction is Direction.NONE:
        return Verdict.INCONCLUSIVE, ("It describes an SAE and has no preferred direction.",)
    # one or two training seeds do not show what the eval's own seeds do
    if noise and test.n_pairs <= 2 and abs(test.mean) <= noise:
        return Verdict.INCONCLUSIVE, ("It lies within the noise of the eval itself.",)
    if test.interval is None or p_holm is None:
        if floor is not None and exceeds:
            return _direction(spec, test), (f"It exceeds the noise floor, {floor:g}.",)
        return Verdict.INCONCLUSIVE, (_too_few(test, floor),)
    interval = test.interval
    if spec.margin is not None and is_equivalent(interval, spec.margin):
        return Verdict.EQUIVALENT, (
            f"The interval {interval.low:.4g} to {interval.high:.4g} lies within "
            f"{spec.margin:g} around 0.",
        )
    after = f"{_p(test.p)}, and {_p(p_holm)} after Holm over {n_tests}"
    if p_holm > alpha:
        return Verdict.INCONCLUSIVE, (f"{after}.",)
    if test.n_pairs <= 2 and not exceeds:
        return Verdict.INCONCLUSIVE, (f"{after}, but within the noise floor, {floor:g}.",)
    objections = test.objections(alpha)
    if objections:
        return Verdict.INCONCLUSIVE, (f"{after}, but {' and '.join(objections)}.",)
    return _direction(spec, test), (f"{after} ({interval.method}, {_pairs(test.n_pairs)}).",)


def _direction(spec: MetricSpec, test: PairedTest) -> Verdict:
    is_gain = test.mean > 0 if spec.direction is Direction.HIGHER else test.mean < 0
    return Verdict.BETTER if is_gain else Verdict.WORSE


def _too_few(test: PairedTest, floor: float | None) -> str:
    if floor is not None:
        return f"Within the noise floor, {floor:g}: {_pairs(test.n_pairs)} can say no more."
    if test.n_pairs == 1:
        return (
            "One pair of seeds, and how much the metric varies between seeds is not known; "
            "run more seeds."
        )
    return "Both pairs give the same difference, so the spread cannot be estimated; run more seeds."


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _pairs(n: int) -> str:
    return "one pair of seeds" if n == 1 else f"{n} pairs"


def _p(p: float | None) -> str:
    return "p unknown" if p is None else "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"
