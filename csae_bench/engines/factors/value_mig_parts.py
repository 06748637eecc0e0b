"""The two terms of value MIG: what the best latents know, and what their doubles know of it."""

from __future__ import annotations

from collections.abc import Iterable

from csae_bench.metrics import Score
from csae_bench.metrics.mig import ValueMigScore


def parts_of_value_mig(score: ValueMigScore) -> tuple[Score, Score]:
    """Return the information of the best latents, and what of it their doubles share."""
    best = {
        factor: _mean(known for known in of_values.values() if known is not None)
        for factor, of_values in score.best_information.items()
    }
    double = {
        factor: None if known is None or (gap := score.by_factor[factor]) is None else known - gap
        for factor, known in best.items()
    }
    best = {factor: None if double[factor] is None else known for factor, known in best.items()}
    return _same_reasons(score, best), _same_reasons(score, double)


def _same_reasons(of: Score, by_factor: dict[str, float | None]) -> Score:
    return Score(
        value=_mean(part for part in by_factor.values() if part is not None),
        reason=of.reason,
        by_factor=by_factor,
        reason_by_factor=of.reason_by_factor,
        settings=of.settings,
    )


def _mean(values: Iterable[float]) -> float | None:
    there = list(values)
    return sum(there) / len(there) if there else None
