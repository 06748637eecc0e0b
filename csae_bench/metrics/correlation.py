"""Correlation of latents with factors, and with true features if these are known.

A correlation shows that two things vary together, not that steering a latent moves its factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from csae_bench.metrics.contingency import Contingency, contingency
from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.discretise import MAX_VALUES, MIN_REPEATS, sparse_bins
from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.eta_squared import eta_squared, standardised
from csae_bench.metrics.gaps import mean_activations
from csae_bench.metrics.importances import BestLatentScore, varying_factors
from csae_bench.metrics.inputs import CodesLike, FactorsLike, same_samples
from csae_bench.metrics.score import no_score, score_fields, why_no_latent_varies

_BLOCK_CELLS = 2**23
_SPARSE = 0.05
"""Share of non-zeros from which dense products are faster."""


@dataclass(frozen=True, kw_only=True)
class FactorCorrelations(BestLatentScore):
    """Latents against factors; only latents that vary have rows.

    A column of a factor with one value is 0 in every matrix, and its score is None.
    """

    latents: Int[NDArray[Any], " n_varying_latents"]
    """Indices of these latents among all latents."""
    eta: Float[NDArray[Any], "n_varying_latents n_factors"]
    """Correlation ratio, 0 to 1: the root of the variance share that the factor explains."""
    cramers_v: Float[NDArray[Any], "n_varying_latents n_factors"]
    """Cramer's V of the latent's sparse bins with the factor, 0 to 1; not corrected for chance."""
    pearson: dict[str, Float[NDArray[Any], " n_varying_latents"]]
    """For factors with two values: Pearson correlation with having the second, -1 to 1."""


@dataclass(frozen=True, kw_only=True)
class FeatureMatch:
    """Latents matched with true features, one each."""

    value: float | None
    """Mean correlation coefficient, 0 to 1; None where it is undefined."""
    reason: str | None
    by_feature: dict[str, float | None]
    """|r| with the matched latent; None for a feature that does not vary."""
    latents: dict[str, int | None]
    """The matched latent; None where there are fewer latents than features."""
    settings: dict[str, Any]


def factor_correlations(
    codes: CodesLike, factors: FactorsLike, *, n_quantiles: int = 4
) -> FactorCorrelations:
    """Correlation of each latent with each factor; the score is that of the best latent.

    `value` is the mean over factors of the largest eta, 0 to 1, and `by_factor` that of each. The
    largest of thousands is well above 0 by chance: see `eta_squared.null_of_largest`. For a
    factor with two values eta is |r|.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        n_quantiles: bins of a latent's non-zeros, for Cramer's V; see `sparse_bins`.

    Raises:
        MetricInputError: malformed or mismatched input.
    """
    codes, factors = same_samples(codes, factors)
    settings = {
        "binning": "sparse",
        "n_quantiles": n_quantiles,
        "max_values": MAX_VALUES,
        "min_repeats": MIN_REPEATS,
    }
    binned = sparse_bins(codes, n_quantiles)
    latents = np.flatnonzero(codes.varies)
    best: dict[str, int | None] = dict.fromkeys(factors.names)
    why = why_no_latent_varies(codes)
    if why:
        nothing = np.zeros((0, factors.n_factors))
        return FactorCorrelations(
            **no_score(factors, why), settings=settings, best_latents=best, latents=latents,
            eta=nothing, cramers_v=nothing, pearson={},
        )  # fmt: skip
    varying = codes.latents(latents)
    eta = np.sqrt(eta_squared(varying, factors))
    largest = np.full(factors.n_factors, np.nan)
    for k in varying_factors(factors):
        largest[k] = eta[:, k].max()
        best[factors.names[k]] = int(latents[eta[:, k].argmax()])
    return FactorCorrelations(
        **score_fields(factors, largest),
        settings=settings,
        best_latents=best,
        latents=latents,
        eta=eta,
        cramers_v=cramers_v(contingency(binned.latents(latents), factors)),
        pearson=_pearson(varying, factors, eta),
    )


def cramers_v(table: Contingency) -> Float[NDArray[Any], "d_sae n_factors"]:
    """Cramer's V of bins with factor values that occur, 0 to 1; 0 where either is constant."""
    v = np.zeros((len(table.row_ptr) - 1, len(table.value_ptr) - 1))
    n_bins = np.diff(table.row_ptr)
    totals = table.counts[:, : table.value_ptr[1]].sum(1)
    for k, (first, last) in enumerate(zip(table.value_ptr[:-1], table.value_ptr[1:], strict=True)):
        counts = table.value_counts[first:last]
        columns = first + np.flatnonzero(counts)
        expected = totals[:, None] * (table.value_counts[columns] / table.n)
        squares = np.square(table.counts[:, columns] - expected) / np.maximum(expected, 1e-300)
        chi_squared = np.add.reduceat(squares.sum(1), table.row_ptr[:-1])
        smaller = np.minimum(n_bins, len(columns)) - 1
        v[:, k] = np.sqrt(chi_squared / (table.n * np.maximum(smaller, 1)))
        v[smaller < 1, k] = 0
    return np.minimum(v, 1.0)


def mean_correlation_coefficient(
    codes: CodesLike, features: CodesLike, names: Sequence[str] | None = None
) -> FeatureMatch:
    """Mean |r| of true features with one latent each, matched so that it is largest (MCC).

    0 to 1 (every feature has a latent of its own, up to scale and sign). Features beyond the
    number of latents count as 0; those that do not vary are left out. Takes 8 bytes times
    d_sae times n_features. Hyvarinen and Morioka 2016, arXiv:1605.06336, section 5; Pearson.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        features: activations of the true features [n, n_features], in the same forms.
        names: of the features; `feature_0`, `feature_1`, ... by default.

    Raises:
        MetricInputError: malformed or mismatched input.

    Examples:
        >>> truth = np.random.default_rng(0).random((50, 3))
        >>> mcc = mean_correlation_coefficient(truth[:, [2, 0, 1]] * 5, truth)
        >>> round(mcc.value, 6), mcc.latents  # scale and order do not matter
        (1.0, {'feature_0': 1, 'feature_1': 2, 'feature_2': 0})
    """
    from scipy.optimize import linear_sum_assignment

    codes, features = Codes.of(codes), Codes.of(features)
    if codes.n != features.n:
        raise MetricInputError(
            f"there are codes of {codes.n} samples and true features of {features.n}; give both "
            "for the same samples, in the same order."
        )
    labels = [f"feature_{k}" for k in range(features.d_sae)] if names is None else list(names)
    if len(set(labels)) != features.d_sae:
        raise MetricInputError(
            f"there are {len(labels)} names for {features.d_sae} true features; give one for each, "
            "all different."
        )
    present = np.flatnonzero(features.varies)
    by_feature: dict[str, float | None] = dict.fromkeys(labels)
    latents: dict[str, int | None] = dict.fromkeys(labels)
    none_varies = None if len(present) else "no true feature varies over the samples"
    if reason := none_varies or why_no_latent_varies(codes):
        return FeatureMatch(
            value=None, reason=reason, by_feature=by_feature, latents=latents, settings=_MCC
        )
    strength = np.abs(correlations(codes, features.latents(present)))
    matched_latents, matched = linear_sum_assignment(strength, maximize=True)
    by_feature |= {labels[k]: 0.0 for k in present}
    for latent, column in zip(matched_latents, matched, strict=True):
        by_feature[labels[present[column]]] = float(strength[latent, column])
        latents[labels[present[column]]] = int(latent)
    total = strength[matched_latents, matched].sum()
    return FeatureMatch(
        value=float(total / len(present)),
        reason=None,
        by_feature=by_feature,
        latents=latents,
        settings=_MCC,
    )


def correlations(codes: Codes, others: Codes) -> Float[NDArray[Any], "d_sae n_others"]:
    """Pearson correlation of every latent with every other column; 0 where one does not vary."""
    left, right = standardised(codes), standardised(others)
    correlation = np.empty((codes.d_sae, others.d_sae))
    step = max(1, _BLOCK_CELLS // codes.d_sae)
    for first in range(0, others.d_sae, step):
        block = slice(first, first + step)
        correlation[:, block] = products(left.by_latent, right.by_latent[block])
        correlation[:, block] -= np.outer(left.sums, right.sums[block]) / codes.n
    return np.clip(correlation, -1.0, 1.0)


def products(left: Any, right: Any) -> Float[NDArray[Any], "n_left n_right"]:
    """left @ right.T of two csr_arrays, as a dense array; by blocks where they are not sparse."""
    cells = left.shape[0] * left.shape[1] + right.shape[0] * right.shape[1]
    if left.nnz + right.nnz < _SPARSE * cells:
        return (left @ right.T).toarray()
    product = np.empty((left.shape[0], right.shape[0]))
    step = max(1, _BLOCK_CELLS // left.shape[1])
    for first in range(0, left.shape[0], step):
        rows = left[first : first + step].toarray()
        for second in range(0, right.shape[0], step):
            columns = right[second : second + step].toarray()
            product[first : first + step, second : second + step] = rows @ columns.T
    return product


_MCC = {"correlation": "pearson", "matching": "hungarian", "sign": "ignored"}


def _pearson(
    codes: Codes, factors: Factors, eta: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """eta, with the sign of how the mean activation moves from the first to the second value."""
    means = mean_activations(codes, factors)
    pearson: dict[str, NDArray[np.float64]] = {}
    for k, name in enumerate(factors.names):
        columns = range(int(factors.value_ptr[k]), int(factors.value_ptr[k + 1]))
        occurring = [column for column in columns if factors.value_counts[column]]
        if len(occurring) == 2:
            first, second = occurring
            pearson[name] = eta[:, k] * np.sign(means[:, second] - means[:, first])
    return pearson
