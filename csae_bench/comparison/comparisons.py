"""Comparisons of every family with its baseline, on every metric, with a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from csae_bench.comparison.caveats import caveats
from csae_bench.comparison.comparability import mismatch_sentence, mismatches, with_known_sd
from csae_bench.comparison.items import Details, with_items
from csae_bench.comparison.l0_matched import (
    curves,
    curves_among_themselves,
    drafts_at_l0,
    matched_curves,
)
from csae_bench.comparison.matching import (
    Match,
    Matched,
    Member,
    Seed,
    against,
    among_themselves,
    members,
    paired_seeds,
    with_baseline,
)
from csae_bench.comparison.metrics import MetricSpec, lookup
from csae_bench.comparison.model import (
    Comparison,
    Condition,
    Reading,
    ResultSet,
    RunReading,
    Verdict,
)
from csae_bench.comparison.noise import noise_of_eval
from csae_bench.comparison.reading.values import NULL
from csae_bench.comparison.verdicts import Draft, conclude
from csae_bench.errors import UsageError

Mismatches = dict[str, tuple[Condition, Condition]]


def may_gate(spec: MetricSpec) -> bool:
    """Return whether a metric gates if there is no rule."""
    return spec.may_gate


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Settings of a comparison."""

    alpha: float = 0.05
    """Level of the tests, over all metrics that gate; intervals have 1 - alpha."""
    allow_mismatch: bool = False
    """Compare what was measured under different conditions."""
    against: str | None = None
    """Name of the family that all others of its release are compared with; without a baseline."""
    margins: Mapping[str, float] = field(default_factory=dict)
    """Metric or glob -> half width of what counts as equivalent, instead of the registry's."""
    gates: Callable[[MetricSpec], bool] = may_gate
    """The metrics that gate, and so share one Holm correction."""
    also: Sequence[str] = ()
    """Names and globs of metrics to compare that otherwise are only where a rule names them."""
    details: Callable[[Reading], Details] | None = None
    """Reader of a result's details, for intervals over factors and questions; None: no details."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All comparisons of a report, and what a reader must know of how they were chosen."""

    comparisons: tuple[Comparison, ...]
    warnings: tuple[str, ...]
    allowed_mismatches: tuple[str, ...]
    """Conditions that differ and were allowed to."""


def compare(candidate: ResultSet, baseline: ResultSet | None, options: CompareOptions) -> Compared:
    """Return verdicts on every metric of every two families that are compared.

    With a baseline, these are families of the same release and name, or the only one of a release
    on each side; without one, all of a release, up to 6, or all against `options.against`. Pairs
    are results of the same seed. For sparsity curves, their metrics at equal L0 follow.

    Raises:
        UsageError: `against` is given together with a baseline.
        UnknownNameError: `against` names no known family.
    """
    if baseline is not None and options.against is not None:
        raise UsageError(
            f"--against {options.against}: it chooses among the SAEs of one folder; leave it out, "
            "or --baseline."
        )
    candidates, notes = members(candidate)
    if baseline is not None:
        theirs, more_notes = members(baseline)
        matched, notes = with_baseline(candidates, theirs), (*notes, *more_notes)
        pairs_of_curves = matched_curves(curves(candidates), curves(theirs), matched.matches)
    else:
        named = options.against
        matched = among_themselves(candidates) if named is None else against(candidates, named)
        pairs_of_curves = curves_among_themselves(curves(candidates), named)
    at_l0 = drafts_at_l0(
        pairs_of_curves,
        lambda metric: spec_of(metric, options),
        options.gates,
        allow_mismatch=options.allow_mismatch,
    )
    # tested apart, so that reading curves costs the numbers that were measured no certainty
    measured = conclude(list(_drafts(matched, options)), options.alpha)
    if options.details is not None:
        measured = with_items(measured, matched.matches, options.details, options.alpha)
    comparisons = (*measured, *conclude(list(at_l0), options.alpha))
    return Compared(
        comparisons=comparisons,
        warnings=(*notes, *matched.notes, *caveats(measured)),
        allowed_mismatches=_allowed(comparisons) if options.allow_mismatch else (),
    )


def _drafts(matched: Matched, options: CompareOptions) -> Iterator[Draft]:
    for match in matched.matches:
        mine = match.candidate.metrics if match.candidate is not None else {}
        specs = [spec_of(name, options) for name in {**match.baseline.metrics, **mine}]
        if match.candidate is None:
            # a family that is gone is said once for each metric that counts
            specs = [spec for spec in specs if options.gates(spec)] or specs
        for spec in specs:
            is_named = any(fnmatchcase(spec.name, glob) for glob in options.also)
            if is_named or options.gates(spec) or not spec.is_supporting:
                yield draft_of(match, spec, options)


def spec_of(metric: str, options: CompareOptions) -> MetricSpec:
    """Return a metric's row, with the margin that the options ask for."""
    spec = lookup(metric)
    margins = [m for pattern, m in options.margins.items() if fnmatchcase(metric, pattern)]
    return replace(spec, margin=margins[-1]) if margins else spec


def draft_of(match: Match, spec: MetricSpec, options: CompareOptions) -> Draft:
    """Return what there is to compare of two families on one metric, or why there is nothing."""
    candidate, baseline = match
    draft = Draft(
        spec=spec,
        candidate=(candidate or baseline).family,
        baseline=baseline.family,
        gates=options.gates(spec),
    )
    if candidate is None:
        what = "result of this SAE" if baseline.family.variant else "SAE"
        return replace(
            draft, refused=Verdict.MISSING, notes=(f"The candidate has no such {what}.",)
        )
    eval_name = candidate.metrics.get(spec.name) or baseline.metrics[spec.name]
    troubles = (*candidate.troubles(eval_name), *baseline.troubles(eval_name))
    if troubles:
        return replace(draft, refused=Verdict.INVALID, notes=troubles)
    mine, theirs = candidate.of_metric(spec.name), baseline.of_metric(spec.name)
    pairs, notes = paired_seeds(mine, theirs)
    not_asked = _not_asked(mine, theirs, spec.name)
    if not_asked:
        return replace(draft, refused=Verdict.UNMEASURED, notes=(not_asked,))
    missing = _missing(candidate, baseline, spec.name, eval_name) or _undefined(
        spec.name, [(mine[a], theirs[b]) for a, b in pairs]
    )
    if not missing and not pairs:
        missing = ("No seed is in both.",)
    if missing:
        # a side without any result needs no note on its seeds
        which = notes if mine and theirs else ()
        return replace(draft, refused=Verdict.MISSING, notes=(*missing, *which))
    differing = _mismatches(mine, theirs, pairs, spec.name)
    if differing and not options.allow_mismatch:
        return replace(
            draft,
            refused=Verdict.INCOMPARABLE,
            mismatches=differing,
            notes=_sentences(differing),
            candidate_values=_values(mine, spec.name, [a for a, _ in pairs]),
            baseline_values=_values(theirs, spec.name, [b for _, b in pairs]),
        )
    allowed = tuple(f"Allowed by --allow-mismatch: {s}" for s in _sentences(differing))
    return replace(
        draft,
        spec=with_known_sd(spec, (*mine.values(), *theirs.values())),
        candidate_values=_values(mine, spec.name, [a for a, _ in pairs]),
        baseline_values=_values(theirs, spec.name, [b for _, b in pairs]),
        noise_of_eval=noise_of_eval([(mine[a], theirs[b]) for a, b in pairs], spec.name),
        mismatches=differing,
        notes=(*notes, *allowed),
    )


def _missing(candidate: Member, baseline: Member, metric: str, eval_name: str) -> tuple[str, ...]:
    reasons: list[str] = []
    for side, member in (("candidate", candidate), ("baseline", baseline)):
        if member.of_metric(metric):
            continue
        what = metric if eval_name in member.readings else f"result of the eval {eval_name}"
        skipped = [r for r in member.runs if _is_skipped(member, r, eval_name)]
        why = f" ({skipped[0].sae_id}: skipped)" if skipped else ""
        reasons.append(f"The {side} has no {what}{why}.")
    return tuple(reasons)


def _is_skipped(member: Member, run: RunReading, eval_name: str) -> bool:
    return any(run.cells.get(c) == "skipped" for c in member.cells(eval_name, run.sae_id))


def _not_asked(
    mine: Mapping[Seed, Reading], theirs: Mapping[Seed, Reading], metric: str
) -> str | None:
    """Return why there is nothing to compare though nothing is lost, a sentence; else None.

    A null without a reason means that a setting was not asked for, such as a number of latents.
    """
    sides = {"candidate": mine.values(), "baseline": theirs.values()}
    nulls = {
        side: [r.reasons.get(metric, NULL) for r in readings if r.values[metric] is None]
        for side, readings in sides.items()
    }
    is_explained = any(reason != NULL for reasons in nulls.values() for reason in reasons)
    if is_explained or not any(nulls.values()) or len(nulls["baseline"]) < len(theirs):
        return None
    which = " and of the ".join(side for side, reasons in nulls.items() if reasons)
    return f"Not measured: the results of the {which} have null, without a reason."


def _undefined(metric: str, pairs: list[tuple[Reading, Reading]]) -> tuple[str, ...]:
    return tuple(
        f"The {side}'s is undefined in {reading.sae_id}: "
        f"{reading.reasons.get(metric, 'the file has null')}."
        for pair in pairs
        for side, reading in zip(("candidate", "baseline"), pair, strict=True)
        if reading.values[metric] is None
    )


def _mismatches(
    mine: Mapping[Seed, Reading],
    theirs: Mapping[Seed, Reading],
    pairs: list[tuple[Seed, Seed]],
    metric: str,
) -> Mismatches:
    differing: Mismatches = {}
    for a, b in pairs:
        for name, values in mismatches(mine[a], theirs[b], metric).items():
            differing.setdefault(name, values)
    return differing


def _sentences(differing: Mismatches) -> tuple[str, ...]:
    return tuple(f"{mismatch_sentence(name, a, b)}." for name, (a, b) in differing.items())


def _values(readings: Mapping[Seed, Reading], metric: str, seeds: list[Seed]) -> tuple[float, ...]:
    values = (readings[seed].values[metric] for seed in seeds)
    return tuple(value for value in values if value is not None)


def _allowed(comparisons: tuple[Comparison, ...]) -> tuple[str, ...]:
    return tuple(sorted({name for comparison in comparisons for name in comparison.mismatches}))
