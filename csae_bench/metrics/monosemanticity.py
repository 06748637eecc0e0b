"""Monosemanticity: what each latent stands for, and whether for that alone.

All is made of a latent's information on whether a sample has a factor's value, in units of that
value's entropy, on the sparse bins. A factor and those that divide its values are one family: who
knows a topic knows something of its domain, and is not to blame for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from csae_bench.metrics.contingency import (
    Counter,
    count_with,
    value_entropies,
    value_information,
)
from csae_bench.metrics.data import Codes, Factors, check_same_samples
from csae_bench.metrics.discretise import sparse_bins
from csae_bench.metrics.families import Families
from csae_bench.metrics.gaps import means_from_sums, normalised
from csae_bench.metrics.nulls import (
    N_PERMUTATIONS,
    ScoreNull,
    null_of,
    permutations,
)
from csae_bench.metrics.score import Score, score_fields, why_no_latent_varies

LEAD = 2.0
"""A latent stands for a value that it knows this many times as much of as of any other."""
NONE_KNOWS = "no latent knows more of any value than permuted factors give"
ONE_FAMILY = "there is one family of factors, and no other to know something of"


@dataclass(frozen=True, kw_only=True)
class Monosemanticity:
    """What the latents stand for, and the scores made of it."""

    shares: Float[NDArray[Any], "d_sae n_values_total"]
    """Information of each latent on each value, 0 to 1; NaN for a value without entropy."""
    knows: Bool[NDArray[Any], " d_sae"]
    """Whether a latent's largest share exceeds the 95% quantile of its permutation null."""
    tied_to: Int[NDArray[Any], " d_sae"]
    """The value that a latent stands for, among all values; -1 for none."""
    selectivity: Float[NDArray[Any], " d_sae"]
    """The family that a latent knows most of, as a share of what it knows of all: 1 over their
    number (all alike) to 1. NaN for a latent that knows nothing."""
    entropy: Float[NDArray[Any], " d_sae"]
    """Entropy of the shares of families over its maximum: 0 (one family) to 1 (all alike)."""
    value_latents: tuple[int | None, ...]
    """For each value the most informative of the latents that are larger with it than without;
    None where that is within the null of the largest of all latents."""
    tied: Score
    """Share of the latents that vary that are tied to one value, 0 to 1; by factor their parts."""
    tied_null: ScoreNull
    covered: Score
    """Share of a factor's values that a latent is tied to, 0 to 1."""
    mean_selectivity: Score
    """Over the latents that know something; by the factor that they know most of."""
    mean_entropy: Score


def monosemanticity(
    codes: Any,
    factors: Any,
    parents: Mapping[str, str] | None = None,
    *,
    n_quantiles: int = 4,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
) -> Monosemanticity:
    """What each latent knows of factor values, how selectively, and what it is tied to.

    A latent is tied to a value if (1) its information on it exceeds the 95% quantile of the
    largest of its informations on all values with the samples' factors permuted, (2) it is larger
    with the value than without, and (3) its information on it is at least twice that on any value
    of another family, and on any other value of the same factor that it is larger with. Up to 5%
    of unrelated latents pass all three: `tied_null` has their share. Selectivity and
    entropy are over families, each by the value that is known best, less its mean where the
    factors are permuted; the entropy is that of Eastwood & Williams 2018 (DCI's disentanglement)
    for families in place of factors.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        parents: child factor -> parent factor.
        n_quantiles: of the sparse bins.

    Raises:
        MetricInputError: malformed or mismatched input, or no permutation.
    """
    codes, factors = Codes.of(codes), Factors.of(factors)
    check_same_samples(codes, factors)
    counter = Counter(sparse_bins(codes, n_quantiles))
    table = count_with(counter, factors)
    families = Families.of(factors, parents or {})
    shares = normalised(value_information(table), value_entropies(table))
    filled = np.nan_to_num(shares)
    rises = _rises(codes, factors.one_hot())
    orders = permutations(factors.n, n_permutations, seed)
    drawn = _permuted(codes, factors, counter, families, orders)
    quantile = np.quantile(drawn.best, 0.95, axis=0)
    best = filled.max(1)
    knows = codes.varies & (best > quantile)
    tied_to = np.where(knows, _candidates(filled, rises, families), -1)
    by_chance = np.where((drawn.best > quantile) & codes.varies, drawn.led_by, -1)
    selectivity, entropy = _over_families(filled, drawn.family_means, families, knows)
    settings = {
        "n_quantiles": n_quantiles,
        "n_permutations": n_permutations,
        "seed": seed,
        "quantile": 0.95,
        "lead": LEAD,
    }
    why = why_no_latent_varies(codes)
    n_alive = max(int(codes.varies.sum()), 1)
    tied = _tied_shares(tied_to, families, n_alive)
    tied_by_chance = np.stack([_tied_shares(each, families, n_alive) for each in by_chance])
    alone = None if families.n_families > 1 else ONE_FAMILY
    best_factor = families.factor_of_value[filled.argmax(1)]
    return Monosemanticity(
        shares=shares,
        knows=knows,
        tied_to=tied_to,
        selectivity=selectivity,
        entropy=entropy,
        value_latents=_value_latents(filled, rises, drawn.largest),
        tied=_score(factors, tied[:-1], settings, why, total=float(tied[-1])),
        tied_null=_tied_null(factors, tied, tied_by_chance, is_defined=why is None),
        covered=_covered(factors, tied_to, families, settings, why),
        mean_selectivity=_mean(factors, selectivity, best_factor, settings, why or alone),
        mean_entropy=_mean(factors, entropy, best_factor, settings, why or alone),
    )


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What permuted factors give."""

    best: Float[NDArray[Any], "n_permutations d_sae"]
    """A latent's largest share of all values."""
    led_by: Int[NDArray[Any], "n_permutations d_sae"]
    """The value that it would be tied to by rules (2) and (3); -1 for none."""
    largest: Float[NDArray[Any], "n_permutations n_values_total"]
    """A value's largest share of all latents."""
    family_means: Float[NDArray[Any], "d_sae n_families"]


def _permuted(
    codes: Codes,
    factors: Factors,
    counter: Counter,
    families: Families,
    orders: Iterator[NDArray[np.int64]],
) -> _Drawn:
    plain = count_with(counter, factors)
    entropies = value_entropies(plain)
    best, led_by, largest = [], [], []
    family_means = np.zeros((codes.d_sae, families.n_families))
    for order in orders:
        one_hot = factors.one_hot()[order]
        table = replace(plain, counts=counter.count(one_hot))
        shares = np.nan_to_num(normalised(value_information(table), entropies))
        best.append(shares.max(1))
        led_by.append(_candidates(shares, _rises(codes, one_hot), families))
        largest.append(shares.max(0))
        family_means += families.largest(shares)
    return _Drawn(np.stack(best), np.stack(led_by), np.stack(largest), family_means / len(best))


def _rises(codes: Codes, one_hot: NDArray[np.int32]) -> Bool[NDArray[Any], "d_sae n_values_total"]:
    """Whether a latent's mean is larger with a value than over all samples."""
    sums = codes.scaled.T @ one_hot.astype(np.float64)
    means = means_from_sums(sums, one_hot.sum(0, dtype=np.int64))
    return means > (np.asarray(codes.scaled.sum(0)).ravel() / codes.n)[:, None]


def _candidates(
    shares: NDArray[np.float64], rises: NDArray[np.bool_], families: Families
) -> Int[NDArray[Any], " d_sae"]:
    """The value that each latent would be tied to by rules (2) and (3); -1 for none."""
    rows = np.arange(len(shares))
    rising = np.where(rises, shares, 0.0)
    best = rising.argmax(1)
    highest = rising[rows, best]
    is_kin = families.factor_of_value == families.factor_of_value[best][:, None]
    is_other = families.of_value != families.of_value[best][:, None]
    rivals = np.where(is_other, shares, np.where(is_kin, rising, 0.0))
    rivals[rows, best] = 0
    return np.where((highest > 0) & (highest >= LEAD * rivals.max(1)), best, -1)


def _value_latents(
    shares: NDArray[np.float64], rises: NDArray[np.bool_], largest: NDArray[np.float64]
) -> tuple[int | None, ...]:
    rising = np.where(rises, shares, 0.0)
    best = rising.argmax(0)
    stands = rising.max(0) > np.quantile(largest, 0.95, axis=0)
    return tuple(int(latent) if above else None for latent, above in zip(best, stands, strict=True))


def _over_families(
    shares: NDArray[np.float64],
    by_chance: NDArray[np.float64],
    families: Families,
    knows: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Selectivity and entropy [d_sae], NaN where `knows` is not."""
    known = np.maximum(families.largest(shares) - by_chance, 0)
    total = known.sum(1, keepdims=True)
    is_defined = knows & (total[:, 0] > 0) & (families.n_families > 1)
    parts = known / np.where(total > 0, total, 1)
    logs = np.log(np.where(parts > 0, parts, 1))
    entropy = -(parts * logs).sum(1) / np.log(max(families.n_families, 2))
    return (
        np.where(is_defined, parts.max(1), np.nan),
        np.where(is_defined, np.maximum(entropy, 0), np.nan),
    )


def _tied_shares(
    tied_to: NDArray[np.int64], families: Families, n_alive: int
) -> Float[NDArray[Any], " n_factors_plus_1"]:
    """Share of the latents that vary that are tied to values of each factor, and to any."""
    of_factors = families.factor_of_value[tied_to[tied_to >= 0]]
    counts = np.bincount(of_factors, minlength=len(families.of_factor))
    return np.append(counts, len(of_factors)) / n_alive


def _tied_null(
    factors: Factors,
    observed: NDArray[np.float64],
    by_chance: NDArray[np.float64],
    *,
    is_defined: bool,
) -> ScoreNull:
    each = [
        null_of(float(value), draws) if is_defined and one else None
        for value, draws, one in zip(observed, by_chance.T, [*_varying(factors), True], strict=True)
    ]
    return ScoreNull(score=each[-1], by_factor=dict(zip(factors.names, each[:-1], strict=True)))


def _covered(
    factors: Factors,
    tied_to: NDArray[np.int64],
    families: Families,
    settings: dict[str, Any],
    why: str | None,
) -> Score:
    has_latent = np.isin(np.arange(len(families.factor_of_value)), tied_to)
    occurs = factors.value_counts > 0
    sums = np.bincount(families.factor_of_value, has_latent & occurs, factors.n_factors)
    n_values = np.bincount(families.factor_of_value, occurs, factors.n_factors)
    return _score(factors, sums / np.maximum(n_values, 1), settings, why)


def _mean(
    factors: Factors,
    of_latents: NDArray[np.float64],
    best_factor: NDArray[np.int64],
    settings: dict[str, Any],
    why: str | None,
) -> Score:
    """Over latents where they are defined; a factor's are those that know most of it."""
    is_defined = ~np.isnan(of_latents)
    counts = np.bincount(best_factor[is_defined], minlength=factors.n_factors)
    sums = np.bincount(best_factor[is_defined], of_latents[is_defined], factors.n_factors)
    by_factor = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    total = float(of_latents[is_defined].mean()) if is_defined.any() else None
    return _score(factors, by_factor, settings, why, total=total, otherwise=NONE_KNOWS)


def _score(
    factors: Factors,
    by_factor: NDArray[np.float64],
    settings: dict[str, Any],
    why: str | None,
    *,
    total: float | None = None,
    otherwise: str = "",
) -> Score:
    several = _varying(factors)
    reason = why or otherwise
    reasons = {name: reason for name, one in zip(factors.names, several, strict=True) if one}
    if why is not None:
        return Score(
            **score_fields(factors, np.full(len(several), np.nan), reasons), settings=settings
        )
    by_factor = np.where(several, by_factor, np.nan)
    return Score(**score_fields(factors, by_factor, reasons, value=total), settings=settings)


def _varying(factors: Factors) -> NDArray[np.bool_]:
    """Whether a factor has more than one value in the samples."""
    return np.array([len(np.unique(column)) > 1 for column in factors.values.T])
