"""`csae_bench.compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from csae_bench.comparison.model import Report


def compare(
    results: str | Path,
    *,
    baseline: str | Path | None = None,
    against: str | None = None,
    fail_on: Sequence[str] = (),
    policy: str | Path | None = None,
    strict: bool = False,
    allow_mismatch: bool = False,
    metrics: Sequence[str] = (),
) -> Comparisons:
    """Return which SAEs of a folder of results are better or worse, and how certain that is.

    Args:
        results: any folder of SAE-Bench results.
        baseline: a folder to compare with, SAEs of the same name with each other.
        against: compare every SAE with this one, instead of all pairs.
        fail_on: rules of the gate, `METRIC:-0.01` or `METRIC:ci`.
        policy: a YAML file with rules.
        strict: an inconclusive verdict does not pass `ci`.
        allow_mismatch: compare what was measured under different conditions, stamped as such.
        metrics: names and globs of the metrics that outputs show; the gate judges all the same.

    Raises:
        UsageError: a folder, a policy or a rule is wrong.

    Examples:
        >>> import csae_bench
        >>> report = csae_bench.compare("results/baseline")  # a folder of results
        >>> report.exit_code, len(report.to_frame())  # one SAE: there is no pair to compare
        (0, 0)
    """
    from csae_bench.comparison.command import CompareRequest, run_compare

    request = CompareRequest(
        folder=Path(results),
        baseline=None if baseline is None else Path(baseline),
        against=against,
        fail_on=tuple(fail_on),
        policy=None if policy is None else Path(policy),
        strict=strict,
        allow_mismatch=allow_mismatch,
        metrics=tuple(metrics),
        details=True,
    )
    return Comparisons(run_compare(request).report)


@dataclass(frozen=True)
class Comparisons:
    """A report of `compare`, in every form."""

    report: Report

    @property
    def exit_code(self) -> int:
        """The exit code that `csae-bench compare` would end with."""
        return self.report.exit_code

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each comparison of two SAEs on a metric.

        Columns: metric, candidate, baseline, verdict, n_pairs, candidate_mean, baseline_mean,
        difference, low, high (of the interval), p, p_holm, smallest_detectable, reasons.
        """
        import pandas as pd

        rows = [
            {
                "metric": one.metric,
                "candidate": one.candidate.name,
                "baseline": one.baseline.name,
                "verdict": str(one.verdict),
                "n_pairs": one.n_pairs,
                "candidate_mean": one.candidate_mean,
                "baseline_mean": one.baseline_mean,
                "difference": one.difference,
                "low": one.interval.low if one.interval else None,
                "high": one.interval.high if one.interval else None,
                "p": one.p,
                "p_holm": one.p_holm,
                "smallest_detectable": one.smallest_detectable,
                "reasons": "; ".join(one.reasons),
            }
            for one in self.report.comparisons
        ]
        return pd.DataFrame(rows)

    def to_json(self) -> dict[str, Any]:
        """Return what `compare --json` prints."""
        from csae_bench.comparison.outputs.as_json import to_json

        return to_json(self.report)

    def to_markdown(self) -> str:
        """Return what `compare --md` writes."""
        from csae_bench.comparison.outputs.markdown import to_markdown

        return to_markdown(self.report)

    def to_html(self, path: str | Path) -> Path:
        """Write the self-contained page with figures, and return its path.

        Raises:
            UsageError: it cannot be written.
        """
        from csae_bench.comparison.outputs.html import write_html
        from csae_bench.comparison.outputs.saving import check_writable

        check_writable(Path(path), is_folder=False)
        write_html(self.report, Path(path))
        return Path(path)

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(index=False, na_rep="")
