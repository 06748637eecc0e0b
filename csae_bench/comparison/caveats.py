"""Caveats of a gain: a different L0, or explained variance that was given up for it.

A candidate's loss is its baseline's gain, so both are looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from csae_bench.comparison.model import Comparison, Family, Verdict

MATCHED_L0 = 0.02
"""Relative difference in L0 up to which two SAEs count as equally sparse."""
EXPLAINED_VARIANCE_TO_LOSE = 0.01
"""Largest loss of explained variance that a gain may cost."""

_L0 = "core.l0"
_EXPLAINED_VARIANCE = ("core.corrected.explained_variance", "core.explained_variance")


def caveats(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yield a sentence for each pair of SAEs with a gain that may be due to something else."""
    by_pair: dict[tuple[Family, Family], dict[str, Comparison]] = defaultdict(dict)
    for comparison in comparisons:
        by_pair[comparison.candidate, comparison.baseline][comparison.metric] = comparison
    for (candidate, baseline), rows in by_pair.items():
        verdicts = {row.verdict for row in rows.values() if row.gates}
        mine, theirs = _names(candidate, baseline)
        if Verdict.BETTER in verdicts:
            for caveat in _of_gain(rows, is_mine=True):
                yield f"{mine} is better than {theirs} in some respects, but {caveat}."
        if Verdict.WORSE in verdicts:
            for caveat in _of_gain(rows, is_mine=False):
                yield f"{theirs} is better than {mine} in some respects, but {caveat}."


def _names(candidate: Family, baseline: Family) -> tuple[str, str]:
    """Return names for the two; the SAE of a baseline mostly has the candidate's name."""
    if candidate.name != baseline.name:
        return candidate.name, baseline.name
    return f"{candidate.name} of the candidate", f"{baseline.name} of the baseline"


def _of_gain(rows: Mapping[str, Comparison], *, is_mine: bool) -> Iterator[str]:
    """Yield the caveats of a gain of the candidate, or of the baseline."""
    for caveat in (_other_l0(rows, is_mine=is_mine), _lost_variance(rows, is_mine=is_mine)):
        if caveat is not None:
            yield caveat


def _other_l0(rows: Mapping[str, Comparison], *, is_mine: bool) -> str | None:
    row = rows.get(_L0)
    if row is None or not row.candidate_mean or not row.baseline_mean:
        return None
    l0s = (row.candidate_mean, row.baseline_mean)
    winner, other = l0s if is_mine else l0s[::-1]
    share = winner / other - 1
    if abs(share) <= MATCHED_L0:
        return None
    return f"its L0 is {winner:.4g} against {other:.4g} ({share:+.0%}); compare at equal L0"


def _lost_variance(rows: Mapping[str, Comparison], *, is_mine: bool) -> str | None:
    known = [rows[name] for name in _EXPLAINED_VARIANCE if name in rows]
    difference = known[0].difference if known else None
    if difference is None:
        return None
    lost = -difference if is_mine else difference
    if lost <= EXPLAINED_VARIANCE_TO_LOSE:
        return None
    return (
        f"it explains {lost:.3g} less of the variance; a gain may cost "
        f"{EXPLAINED_VARIANCE_TO_LOSE:g}"
    )
