"""Quality of held-out decisions: accuracy, balanced accuracy and AUROC, with null and interval.

A value's figure is the mean over the two halves of the samples, a factor's the mean over its
values, the score the mean over factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from scipy.stats import rankdata

from csae_bench.metrics.bootstrap import (
    N_RESAMPLES,
    ScoreInterval,
    bootstrap_settings,
    cluster_draws,
    few_clusters,
    interval_of,
    score_interval,
)
from csae_bench.metrics.data import Factors
from csae_bench.metrics.gaps import mean_by_factor
from csae_bench.metrics.inputs import LabelsLike
from csae_bench.metrics.nulls import N_PERMUTATIONS, Null, ScoreNull, null_of
from csae_bench.metrics.score import Score, score_fields
from csae_bench.metrics.sparse_probes import HeldOutDecisions

MEASURES = ("accuracy", "balanced_accuracy", "auroc")
NO_PROBE = "no value of this factor is both had and lacked in each half of the templates"


@dataclass(frozen=True, kw_only=True)
class Classification:
    """Scores of `MEASURES`, by name, with their nulls and intervals."""

    scores: dict[str, Score]
    nulls: dict[str, ScoreNull]
    """The samples' factors permuted within each half, the probes as they are."""
    intervals: dict[str, ScoreInterval]
    """Resamples of whole clusters, with the probes as they are."""
    by_value: dict[str, Float[NDArray[Any], " n_values_total"]]
    """NaN where no probe could be fitted."""
    value_intervals: dict[str, Float[NDArray[Any], "2 n_values_total"]]
    """Low and high end; NaN where there is none."""


class Side(NamedTuple):
    """A half of the samples."""

    ranks: Float[NDArray[Any], "n_side n_values_total"]
    """Among the half, from 1; of equals their mean."""
    is_seen: Bool[NDArray[Any], "n_side n_values_total"]
    """True where the probe sees the value."""
    has_value: Bool[NDArray[Any], "n_side n_values_total"]
    is_defined: Bool[NDArray[Any], " n_values_total"]
    clusters: Int[NDArray[Any], " n_side"]


def classification(
    decisions: HeldOutDecisions,
    factors: Factors,
    clusters: LabelsLike,
    *,
    n_permutations: int = N_PERMUTATIONS,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Classification:
    """Accuracy, balanced accuracy and AUROC of held-out decisions, each 0 to 1.

    Chance is .5 for the last two. Accuracy is taken on the samples as they are: a probe
    that never sees a value is right on all samples that lack it. SAE-Bench's accuracy, on as many
    samples with a value as without, is an estimate of balanced accuracy.

    Args:
        clusters: labels [n], such as of templates; one cluster gives no interval.

    Raises:
        MetricInputError: no permutation, or fewer than 1000 resamples.
    """
    labels = Factors.of({"cluster": clusters}).values[:, 0]
    settings = bootstrap_settings(labels, n_resamples, level, seed)
    rng = np.random.default_rng(seed)
    labels = few_clusters(labels, rng)
    sides = [side_of(decisions, factors, labels, side) for side in (False, True)]
    by_value = _mean_of_sides([_measure(side, side.has_value) for side in sides])
    observed = _all_with_mean(by_value, factors)
    permuted = [
        _all_with_mean(_mean_of_sides([_permuted_measure(side, rng) for side in sides]), factors)
        for _ in range(n_permutations)
    ]
    draws = cluster_draws(int(labels.max()) + 1, n_resamples, seed)
    drawn = _mean_of_sides([resampled_measures(side, draws) for side in sides])
    settings_of_scores = {"n_halves": 2, "probe": "l2_logistic_regression"}
    why = dict.fromkeys(
        (factors.names[k] for k in range(factors.n_factors) if _several(factors, k)), NO_PROBE
    )
    ends = {name: _ends(resampled, settings) for name, resampled in drawn.items()}
    return Classification(
        scores={
            name: Score(
                **score_fields(factors, observed[name][:-1], why), settings=settings_of_scores
            )
            for name in MEASURES
        },
        nulls={
            name: _null(factors, observed[name], np.stack([each[name] for each in permuted]))
            for name in MEASURES
        },
        intervals={
            name: score_interval(with_mean(drawn[name], factors), factors, settings)
            for name in MEASURES
        },
        by_value=by_value,
        value_intervals=ends,
    )


def with_mean(
    by_value: Float[NDArray[Any], "... n_values_total"], factors: Factors
) -> Float[NDArray[Any], "... n_factors_plus_1"]:
    """Append each factor's mean over its values, and the mean of these; NaN is left out."""
    of_factors = mean_by_factor(by_value, factors.value_ptr)
    return np.concatenate([of_factors, nan_mean(of_factors, -1)[..., None]], axis=-1)


def _all_with_mean(
    by_value: dict[str, NDArray[np.float64]], factors: Factors
) -> dict[str, NDArray[np.float64]]:
    return {name: with_mean(values, factors) for name, values in by_value.items()}


def nan_mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Average over what is not NaN; NaN where nothing is left."""
    n_defined = (~np.isnan(values)).sum(axis)
    return np.where(n_defined > 0, np.nansum(values, axis) / np.maximum(n_defined, 1), np.nan)


def side_of(
    decisions: HeldOutDecisions, factors: Factors, labels: NDArray[np.int64], side: bool
) -> Side:
    """Return the samples of one half with the decisions on them."""
    rows = decisions.half == side
    values = decisions.values[rows]
    is_defined = ~np.isnan(values).any(0)
    return Side(
        ranks=rankdata(np.where(is_defined, values, 0.0), axis=0),
        is_seen=values > 0,
        has_value=factors.one_hot(np.bool_)[rows],
        is_defined=is_defined,
        clusters=labels[rows],
    )


def _measure(
    side: Side, has_value: NDArray[np.bool_]
) -> dict[str, Float[NDArray[Any], " n_values_total"]]:
    n_with = has_value.sum(0).astype(np.float64)
    n_without = len(has_value) - n_with
    n_seen = side.is_seen.sum(0)
    hits = (side.is_seen & has_value).sum(0)
    rejections = n_without - (n_seen - hits)
    rank_sums = np.einsum("nv,nv->v", side.ranks, has_value)
    won = rank_sums - n_with * (n_with + 1) / 2
    return _measures(hits, rejections, won, n_with, n_without, side.is_defined)


def _permuted_measure(side: Side, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    return _measure(side, side.has_value[rng.permutation(len(side.ranks))])


def _measures(
    hits: NDArray[Any],
    rejections: NDArray[Any],
    won: NDArray[Any],
    n_with: NDArray[Any],
    n_without: NDArray[Any],
    is_defined: NDArray[np.bool_],
) -> dict[str, NDArray[np.float64]]:
    """From counts; `won` is the number of pairs in which the sample with the value ranks higher."""
    with np.errstate(divide="ignore", invalid="ignore"):
        measures = {
            "accuracy": (hits + rejections) / (n_with + n_without),
            "balanced_accuracy": (hits / n_with + rejections / n_without) / 2,
            "auroc": won / (n_with * n_without),
        }
    has_both = is_defined & (n_with > 0) & (n_without > 0)
    return {name: np.where(has_both, values, np.nan) for name, values in measures.items()}


def resampled_measures(side: Side, draws: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Measures [n_resamples, n_values_total] of a half, its clusters as often as drawn."""
    n_clusters = draws.shape[1]
    weights = draws.astype(np.float64)
    members = np.eye(n_clusters)[side.clusters]
    n_with, n_without, hits, rejections = (
        weights @ (members.T @ mask.astype(np.float64))
        for mask in (
            side.has_value,
            ~side.has_value,
            side.has_value & side.is_seen,
            ~side.has_value & ~side.is_seen,
        )
    )
    won = np.empty_like(n_with)
    for value in range(n_with.shape[1]):
        pairs = _pairs_won(side, value, members)
        won[:, value] = np.einsum("bf,bf->b", weights @ pairs, weights)
    return _measures(hits, rejections, won, n_with, n_without, side.is_defined)


def _pairs_won(
    side: Side, value: int, members: NDArray[np.float64]
) -> Float[NDArray[Any], "n_clusters n_clusters"]:
    """Pairs of a sample with the value, of one cluster, that ranks over one without, of another.

    A tie is half a pair.
    """
    has_value, ranks = side.has_value[:, value], side.ranks[:, value]
    lacking = ranks[~has_value]
    order = np.argsort(lacking)
    below = np.vstack([np.zeros(members.shape[1]), np.cumsum(members[~has_value][order], axis=0)])
    having = ranks[has_value]
    lower, upper = (np.searchsorted(lacking[order], having, end) for end in ("left", "right"))
    return members[has_value].T @ (below[lower] + below[upper]) / 2


def _mean_of_sides(sides: list[dict[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    return {name: nan_mean(np.stack([side[name] for side in sides]), axis=0) for name in MEASURES}


def _null(factors: Factors, observed: NDArray[np.float64], draws: NDArray[np.float64]) -> ScoreNull:
    each: list[Null | None] = [
        null_of(value, np.nan_to_num(column))
        for value, column in zip(observed, draws.T, strict=True)
    ]
    return ScoreNull(score=each[-1], by_factor=dict(zip(factors.names, each[:-1], strict=True)))


def _ends(drawn: NDArray[np.float64], settings: dict[str, Any]) -> NDArray[np.float64]:
    """Low and high end of each column's interval [2, n]; NaN where it has none."""
    each = [interval_of(column, settings) for column in drawn.T]
    ends = [[np.nan if end is None else end for end in (one.low, one.high)] for one in each]
    return np.array(ends).reshape(-1, 2).T


def _several(factors: Factors, factor: int) -> bool:
    return len(np.unique(factors.values[:, factor])) > 1
