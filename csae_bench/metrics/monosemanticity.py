"""Monosemanticity: the factor value that each latent stands for, and how selectively.

All is made of a latent's information on whether a sample has a factor's value, in units of that
value's entropy, on the sparse bins. A factor and those that divide its values are one family: a
latent informative about a topic is unavoidably informative about its domain; this is not penalised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from csae_bench.metrics.assignment import LEAD, assign, rises
from csae_bench.metrics.contingency import (
    contingency,
    counter_of,
    value_entropies,
    value_information,
)
from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.discretise import sparse_bins
from csae_bench.metrics.families import Families
from csae_bench.metrics.gaps import normalised
from csae_bench.metrics.inputs import CodesLike, FactorsLike, same_samples
from csae_bench.metrics.latent_nulls import QUANTILE, Permuted, permuted
from csae_bench.metrics.nulls import N_PERMUTATIONS, ScoreNull, null_of, permutations
from csae_bench.metrics.score import Score, score_fields, why_no_latent_varies

NONE_INFORMATIVE = "no latent is more informative about any value than under permuted factors"
ONE_FAMILY = "there is one family of factors, and no other to be informative about"


@dataclass(frozen=True, kw_only=True)
class Monosemanticity:
    """Factor values that the latents stand for, and the scores made of them."""

    shares: Float[NDArray[Any], "d_sae n_values_total"]
    """Information of each latent on each value, 0 to 1; NaN for a value without entropy."""
    is_informative: Bool[NDArray[Any], " d_sae"]
    """Whether a latent's largest share exceeds the 95% quantile of its permutation null."""
    assigned_value: Int[NDArray[Any], " d_sae"]
    """The value that a latent stands for, among all values; -1 for none."""
    selectivity: Float[NDArray[Any], " d_sae"]
    """Information on the best family, as a share of that on all families: 1 over their
    number (all alike) to 1. NaN for an uninformative latent."""
    entropy: Float[NDArray[Any], " d_sae"]
    """Entropy of the shares of families over its maximum: 0 (one family) to 1 (all alike)."""
    value_latents: tuple[int | None, ...]
    """For each value the most informative of the latents that are larger with it than without;
    None where that is within the null of the largest of all latents."""
    assigned: Score
    """Share of the varying latents that are assigned to a value, 0 to 1; by factor their parts."""
    assigned_null: ScoreNull
    coverage: Score
    """Share of a factor's values that a latent is assigned to, 0 to 1."""
    coverage_null: ScoreNull
    mean_selectivity: Score
    """Over informative latents; by the factor that they are most informative about."""
    selectivity_null: ScoreNull
    """Over those that seem informative about permuted factors: far above its minimum, since a
    latent informative about one by chance is seldom informative about two. 0 where none does."""
    mean_entropy: Score


def monosemanticity(
    codes: CodesLike,
    factors: FactorsLike,
    parents: Mapping[str, str] | None = None,
    *,
    n_quantiles: int = 4,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
) -> Monosemanticity:
    """Measure each latent's information on factor values, its selectivity and its assigned value.

    A latent is assigned to a value if (1) its information on it exceeds the 95% quantile of the
    largest of its informations on all values with the samples' factors permuted, (2) it is larger
    with the value than without, and (3) its information on it is at least twice that on any value
    of another family, and on any other value of the same factor that it is larger with, and more
    than half of that on any that it is smaller with. Up to 5% of unrelated latents pass all three:
    `assigned_null` has their share, and `coverage_null` the share of values that they cover, which
    is large where latents are many.

    Selectivity and entropy are over families, each by the value with most information, less its
    mean where the factors are permuted; the entropy is that of Eastwood & Williams 2018 (DCI's
    disentanglement) for families in place of factors.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        parents: child factor -> parent factor.
        n_quantiles: of the sparse bins.

    Raises:
        MetricInputError: malformed or mismatched input, or no permutation.
    """
    codes, factors = same_samples(codes, factors)
    binned = sparse_bins(codes, n_quantiles)
    table = contingency(binned, factors)
    families = Families.of(factors, parents or {})
    shares = normalised(value_information(table), value_entropies(table))
    filled = np.nan_to_num(shares)
    rising = rises(codes, factors.one_hot())
    orders = permutations(factors.n, n_permutations, seed)
    drawn = permuted(codes, factors, counter_of(binned), families, orders)
    led = assign(filled, rising, families)
    is_informative = codes.varies & (filled.max(1) > drawn.threshold)
    assigned_value = np.where(codes.varies & (led.share > drawn.threshold), led.value, -1)
    selectivity, entropy = _over_families(
        families.largest(filled) - drawn.family_means, is_informative
    )
    settings = {"n_quantiles": n_quantiles, "n_permutations": n_permutations, "seed": seed}
    settings |= {"quantile": QUANTILE, "lead": LEAD}
    best_factor = families.factor_of_value[filled.argmax(1)]
    return Monosemanticity(
        shares=shares,
        is_informative=is_informative,
        assigned_value=assigned_value,
        selectivity=selectivity,
        entropy=entropy,
        value_latents=_value_latents(filled, rising, drawn.value_threshold),
        **_assignment_scores(assigned_value, codes, factors, families, drawn, settings),
        **_selectivity_scores(selectivity, entropy, best_factor, codes, factors, drawn, settings),
    )


class _AssignmentScores(TypedDict):
    assigned: Score
    assigned_null: ScoreNull
    coverage: Score
    coverage_null: ScoreNull


class _SelectivityScores(TypedDict):
    mean_selectivity: Score
    selectivity_null: ScoreNull
    mean_entropy: Score


def _assignment_scores(
    assigned_value: Int[NDArray[Any], " d_sae"],
    codes: Codes,
    factors: Factors,
    families: Families,
    drawn: Permuted,
    settings: dict[str, Any],
) -> _AssignmentScores:
    """Count latents that stand for a value and values that have a latent, and both by chance."""
    why = why_no_latent_varies(codes)
    n_alive = max(int(codes.varies.sum()), 1)
    assigned, *assigned_by_chance = (
        _assigned_shares(each, families, n_alive)
        for each in (assigned_value, *drawn.assigned_value)
    )
    coverage, *coverage_by_chance = (
        _coverage_shares(each, factors, families)
        for each in (assigned_value, *drawn.assigned_value)
    )
    return {
        "assigned": _score(factors, assigned, settings, why),
        "assigned_null": _null(factors, assigned, np.stack(assigned_by_chance), why),
        "coverage": _score(factors, coverage, settings, why),
        "coverage_null": _null(factors, coverage, np.stack(coverage_by_chance), why),
    }


def _selectivity_scores(
    selectivity: Float[NDArray[Any], " d_sae"],
    entropy: Float[NDArray[Any], " d_sae"],
    best_factor: NDArray[np.int64],
    codes: Codes,
    factors: Factors,
    drawn: Permuted,
    settings: dict[str, Any],
) -> _SelectivityScores:
    """Means over informative latents, and what chance gives."""
    why = why_no_latent_varies(codes)
    alone = why or (None if drawn.family_means.shape[1] > 1 else ONE_FAMILY)
    mean_selectivity = _means(selectivity, best_factor, factors.n_factors)
    mean_entropy = _means(entropy, best_factor, factors.n_factors)
    by_chance = _selectivity_by_chance(drawn, codes, factors.n_factors)
    return {
        "mean_selectivity": _score(factors, mean_selectivity, settings, alone),
        "selectivity_null": _null(factors, mean_selectivity, by_chance, alone),
        "mean_entropy": _score(factors, mean_entropy, settings, alone),
    }


def _value_latents(
    shares: NDArray[np.float64], rising: NDArray[np.bool_], threshold: NDArray[np.float64]
) -> tuple[int | None, ...]:
    with_value = np.where(rising, shares, 0.0)
    best = with_value.argmax(0)
    is_above = with_value.max(0) > threshold
    return tuple(
        int(latent) if above else None for latent, above in zip(best, is_above, strict=True)
    )


def _over_families(
    beyond_chance: Float[NDArray[Any], "*n n_families"], is_informative: Bool[NDArray[Any], "*n"]
) -> tuple[Float[NDArray[Any], "*n"], Float[NDArray[Any], "*n"]]:
    """Compute selectivity and entropy, NaN where `is_informative` is false.

    Args:
        beyond_chance: what is known of each family less what chance gives.
    """
    known = np.maximum(beyond_chance, 0)
    total = known.sum(-1, keepdims=True)
    is_defined = is_informative & (total[..., 0] > 0)
    parts = known / np.where(total > 0, total, 1)
    logs = np.log(np.where(parts > 0, parts, 1))
    entropy = -(parts * logs).sum(-1) / np.log(max(known.shape[-1], 2))
    return (
        np.where(is_defined, parts.max(-1), np.nan),
        np.where(is_defined, np.maximum(entropy, 0), np.nan),
    )


def _assigned_shares(
    assigned_value: NDArray[np.int64], families: Families, n_alive: int
) -> Float[NDArray[Any], " n_factors_plus_1"]:
    """Share of the latents that vary that are assigned to values of each factor, and to any."""
    of_factors = families.factor_of_value[assigned_value[assigned_value >= 0]]
    counts = np.bincount(of_factors, minlength=len(families.of_factor))
    return np.append(counts, len(of_factors)) / n_alive


def _coverage_shares(
    assigned_value: NDArray[np.int64], factors: Factors, families: Families
) -> Float[NDArray[Any], " n_factors_plus_1"]:
    """Share of each factor's values that a latent is assigned to, and their mean over factors."""
    has_latent = np.isin(np.arange(len(families.factor_of_value)), assigned_value)
    occurs = factors.value_counts > 0
    sums = np.bincount(families.factor_of_value, has_latent & occurs, factors.n_factors)
    n_values = np.bincount(families.factor_of_value, occurs, factors.n_factors)
    shares = sums / np.maximum(n_values, 1)
    several = n_values > 1
    return np.append(shares, shares[several].mean() if several.any() else np.nan)


def _means(
    of_latents: NDArray[np.float64], best_factor: NDArray[np.int64], n_factors: int
) -> Float[NDArray[Any], " n_factors_plus_1"]:
    """Average over latents with a value; a factor's latents are those most informative about it."""
    is_defined = ~np.isnan(of_latents)
    values, of_factor = of_latents[is_defined], best_factor[is_defined]
    counts = np.append(np.bincount(of_factor, minlength=n_factors), len(values))
    sums = np.append(np.bincount(of_factor, values, n_factors), values.sum())
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _selectivity_by_chance(
    drawn: Permuted, codes: Codes, n_factors: int
) -> Float[NDArray[Any], "n_permutations n_factors_plus_1"]:
    kept = drawn.largest
    is_informative = codes.varies & (kept.share > drawn.threshold)
    selectivity, _ = _over_families(kept.families - drawn.family_means, is_informative)
    chosen = [kept.permutation == number for number in range(len(drawn.assigned_value))]
    means = [_means(selectivity[mask], kept.factor[mask], n_factors) for mask in chosen]
    return np.nan_to_num(np.stack(means))


def _null(
    factors: Factors,
    observed: NDArray[np.float64],
    by_chance: NDArray[np.float64],
    why: str | None,
) -> ScoreNull:
    each = [
        null_of(float(value), draws) if why is None and one else None
        for value, draws, one in zip(observed, by_chance.T, [*factors.varies, True], strict=True)
    ]
    return ScoreNull(score=each[-1], by_factor=dict(zip(factors.names, each[:-1], strict=True)))


def _score(
    factors: Factors,
    values: Float[NDArray[Any], " n_factors_plus_1"],
    settings: dict[str, Any],
    why: str | None,
) -> Score:
    """Make a score of values by factor; the last is that of all factors."""
    several = factors.varies
    reasons = {
        name: why or NONE_INFORMATIVE
        for name, one in zip(factors.names, several, strict=True)
        if one
    }
    if why is not None:
        values = np.full(len(values), np.nan)
    total = None if np.isnan(values[-1]) else float(values[-1])
    by_factor = np.where(several, values[:-1], np.nan)
    return Score(**score_fields(factors, by_factor, reasons, value=total), settings=settings)
