"""What takes the worth from a gain: another L0, or explained variance that was given up for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from csae_bench.compare.model import Comparison, Family, Verdict

MATCHED_L0 = 0.02
"""Share by which L0 may differ of SAEs that count as equally sparse."""
EXPLAINED_VARIANCE_TO_LOSE = 0.01
"""Of explained variance, what a gain may cost."""

_L0 = "core.l0"
_EXPLAINED_VARIANCE = ("core.corrected.explained_variance", "core.explained_variance")


def caveats(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """A sentence for each pair of SAEs with a gain that may be due to something else."""
    by_pair: dict[tuple[Family, Family], dict[str, Comparison]] = defaultdict(dict)
    for comparison in comparisons:
        by_pair[comparison.candidate, comparison.baseline][comparison.metric] = comparison
    for (candidate, baseline), rows in by_pair.items():
        if any(row.gates and row.verdict is Verdict.BETTER for row in rows.values()):
            for caveat in (_other_l0(rows), _lost_variance(rows)):
                if caveat is not None:
                    yield (
                        f"{candidate.name} is better than {baseline.name} in some respects, but "
                        f"{caveat}."
                    )


def _other_l0(rows: Mapping[str, Comparison]) -> str | None:
    row = rows.get(_L0)
    if row is None or row.candidate_mean is None or not row.baseline_mean:
        return None
    share = row.candidate_mean / row.baseline_mean - 1
    if abs(share) <= MATCHED_L0:
        return None
    return (
        f"its L0 is {row.candidate_mean:.4g} against {row.baseline_mean:.4g} ({share:+.0%}); "
        "compare at equal L0"
    )


def _lost_variance(rows: Mapping[str, Comparison]) -> str | None:
    known = [rows[name] for name in _EXPLAINED_VARIANCE if name in rows]
    difference = known[0].difference if known else None
    if difference is None or difference >= -EXPLAINED_VARIANCE_TO_LOSE:
        return None
    return (
        f"it explains {-difference:.3g} less of the variance; a gain may cost "
        f"{EXPLAINED_VARIANCE_TO_LOSE:g}"
    )
