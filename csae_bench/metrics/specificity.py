"""Specificity of interventions: how far a latent moves its own factor's word alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from csae_bench.metrics.bootstrap import (
    N_RESAMPLES,
    PercentileInterval,
    ScoreInterval,
    bootstrap_settings,
    cluster_draws,
    few_clusters,
    interval_of,
    score_interval,
)
from csae_bench.metrics.classification import with_mean
from csae_bench.metrics.data import Factors
from csae_bench.metrics.score import Score, score_fields

WITHIN_NOISE = "its effect on its own word is within noise, or against it"
NO_OTHERS = "no other factor has a later word"
ONE_CLUSTER = "there is one template, and noise cannot be told from an effect"


class Changes(NamedTuple):
    """Changes by an operation on one latent, in nats of log-odds."""

    own: Float[NDArray[Any], " n"]
    """Change of the value's own word, above 0 in the expected direction."""
    others: Float[NDArray[Any], " n"]
    """Mean over other factors of the magnitude of the change of the right word; NaN throughout
    where there is no other."""
    clusters: Int[NDArray[Any], " n"]
    """Template of each prompt, numbered from 0."""


class EffectEstimate(NamedTuple):
    """A value and its 95% interval; None where there is none, with the reason for no value."""

    value: float | None
    low: float | None
    high: float | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Effects:
    """Effects of one operation, such as clamping, on the latents of all values."""

    own: Score
    """In nats of log-odds; mean over a factor's values, then over factors."""
    own_interval: ScoreInterval
    specificity: Score
    """0 to 1: own / (own + others), of the means at each level. About .5 where a latent moves
    other factors' words as much as its own."""
    specificity_interval: ScoreInterval
    by_value: Mapping[int, Mapping[str, EffectEstimate]]
    """Value, numbered among all -> `own`, `others` and `specificity`."""


def effects(
    changes: Mapping[int, Changes],
    reasons: Mapping[int, str],
    factors: Factors,
    *,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Effects:
    """Compute effects on own words and their specificity, with intervals over whole templates.

    The magnitude of what happens to others is set against the signed change of the value's own
    word, so noise alone counts against a latent. A specificity is undefined where the interval of
    its own effect holds 0 or is below.

    Args:
        changes: by value, numbered among all values.
        reasons: why a value has none, for those that have not.

    Raises:
        MetricInputError: fewer than 1000 resamples.
    """
    means = _Means.of(changes, factors, n_resamples=n_resamples, seed=seed)
    settings = bootstrap_settings(means.labels, n_resamples, level, seed)
    own, others = (with_mean(each, factors) for each in (means.own, means.others))
    drawn_own, drawn_others = (
        with_mean(each, factors) for each in (means.drawn_own, means.drawn_others)
    )
    of_levels = [
        _specificity(*each, settings)
        for each in zip(own, others, drawn_own.T, drawn_others.T, strict=True)
    ]
    why = _reasons_of_factors(changes, reasons, factors)
    specific = np.array([np.nan if one.value is None else one.value for one in of_levels])
    why_not_specific = {
        name: why.get(name) or one.reason
        for name, one in zip(factors.names, of_levels, strict=False)
    }
    of_specificity = score_fields(factors, specific[:-1], why_not_specific)
    of_specificity |= {"value": of_levels[-1].value, "reason": None}
    of_own = score_fields(factors, own[:-1], why)
    if of_levels[-1].value is None:
        of_specificity["reason"] = of_own["reason"] or of_levels[-1].reason
    return Effects(
        own=Score(**of_own, settings={"unit": "nats of log-odds"}),
        own_interval=score_interval(drawn_own, factors, settings),
        specificity=Score(**of_specificity, settings={"unit": "own / (own + others)"}),
        specificity_interval=ScoreInterval(
            score=_interval(of_levels[-1]),
            by_factor={
                name: _interval(one) for name, one in zip(factors.names, of_levels, strict=False)
            },
            settings=settings,
        ),
        by_value={
            value: _of_value(means, value, settings, reasons.get(value, ""))
            for value in range(len(means.own))
        },
    )


@dataclass(frozen=True, eq=False)
class _Means:
    """By value; NaN for a value without changes, or without any in a resample."""

    labels: Int[NDArray[Any], " n_clusters"]
    own: Float[NDArray[Any], " n_values_total"]
    others: Float[NDArray[Any], " n_values_total"]
    drawn_own: Float[NDArray[Any], "n_resamples n_values_total"]
    drawn_others: Float[NDArray[Any], "n_resamples n_values_total"]

    @classmethod
    def of(
        cls, changes: Mapping[int, Changes], factors: Factors, *, n_resamples: int, seed: int
    ) -> _Means:
        every = [one.clusters for one in changes.values()] or [np.zeros(1, np.int64)]
        seen, labels = np.unique(np.concatenate(every), return_inverse=True)
        groups = few_clusters(np.arange(len(seen)), np.random.default_rng(seed))
        labels = groups[labels]
        draws = cluster_draws(int(groups.max()) + 1, n_resamples, seed).astype(np.float64)
        weights = np.vstack([np.ones(draws.shape[1]), draws])
        n_values = int(factors.value_ptr[-1])
        means = np.full((2, len(weights), n_values), np.nan)
        start = 0
        for value, one in changes.items():
            clusters = labels[start : start + len(one.own)]
            start += len(one.own)
            n = weights @ np.bincount(clusters, minlength=draws.shape[1])
            for place, each in enumerate((one.own, one.others)):
                sums = weights @ np.bincount(clusters, each, draws.shape[1])
                means[place, :, value] = np.where(n > 0, sums / np.maximum(n, 1), np.nan)
        return cls(groups, *means[:, 0], *means[:, 1:])


def _specificity(
    own: float,
    others: float,
    drawn_own: NDArray[np.float64],
    drawn_others: NDArray[np.float64],
    settings: dict[str, Any],
) -> EffectEstimate:
    interval = interval_of(drawn_own, settings)
    why = ""
    if np.isnan(others):
        why = NO_OTHERS
    elif interval.low is None:
        why = ONE_CLUSTER
    elif interval.low <= 0 or not own > 0:
        why = WITHIN_NOISE
    if why:
        return EffectEstimate(None, None, None, why)
    positive = np.maximum(drawn_own, 0)
    total = positive + drawn_others
    drawn = np.where(total > 0, positive / np.where(total > 0, total, 1), np.nan)
    ends = interval_of(drawn, settings)
    return EffectEstimate(float(own / (own + others)), ends.low, ends.high, "")


def _of_value(
    means: _Means, value: int, settings: dict[str, Any], reason: str
) -> dict[str, EffectEstimate]:
    own, others = float(means.own[value]), float(means.others[value])
    if np.isnan(own):
        return dict.fromkeys(
            ("own", "others", "specificity"), EffectEstimate(None, None, None, reason)
        )
    drawn = {"own": means.drawn_own[:, value], "others": means.drawn_others[:, value]}
    ends = {name: interval_of(each, settings) for name, each in drawn.items()}
    of_others = EffectEstimate(others, ends["others"].low, ends["others"].high, "")
    return {
        "own": EffectEstimate(own, ends["own"].low, ends["own"].high, ""),
        "others": EffectEstimate(None, None, None, NO_OTHERS) if np.isnan(others) else of_others,
        "specificity": _specificity(own, others, drawn["own"], drawn["others"], settings),
    }


def _interval(estimate: EffectEstimate) -> PercentileInterval:
    return PercentileInterval(low=estimate.low, high=estimate.high, reason=estimate.reason or None)


def _reasons_of_factors(
    changes: Mapping[int, Changes], reasons: Mapping[int, str], factors: Factors
) -> dict[str, str]:
    """Give reasons for the factors none of whose values has changes."""
    by_factor: dict[str, str] = {}
    for name, first, last in zip(
        factors.names, factors.value_ptr[:-1], factors.value_ptr[1:], strict=True
    ):
        values = range(int(first), int(last))
        if not any(value in changes for value in values):
            whys = dict.fromkeys(reasons[value] for value in values if reasons.get(value))
            if whys:
                by_factor[name] = "; ".join(whys)
    return by_factor
