"""Latents chosen on one split and scored on another, so that selection gives no advantage.

The best of thousands of latents is in part the luckiest. On samples that it was not chosen on, its
luck is gone, and its gap may be negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from csae_bench.metrics.contingency import (
    contingency,
    factor_entropies,
    information,
    mutual_information,
    value_entropies,
)
from csae_bench.metrics.data import Codes, Factors, MetricInputError
from csae_bench.metrics.discretise import equal_width_bins, sparse_bins
from csae_bench.metrics.gaps import (
    Gaps,
    factor_gaps,
    mean_activations,
    mean_by_factor,
    normalised,
    value_gaps,
)
from csae_bench.metrics.inputs import CodesLike, FactorsLike, LabelsLike, same_samples
from csae_bench.metrics.score import Score, no_score, score_fields, why_no_latent_varies


@dataclass(frozen=True, kw_only=True)
class HeldOutScore(Score):
    """A gap between latents chosen on other samples, -1 to 1."""

    best_information: dict[str, float | None]
    """Factor -> information of the chosen best latents in units of entropy; mean over values."""


def split_clusters(
    clusters: LabelsLike, *, share: float = 0.5, seed: int = 0
) -> Bool[NDArray[Any], " n"]:
    """Draw a mask of whole clusters at random, until it has this share of the samples.

    Args:
        clusters: labels [n], such as each prompt's template.
        share: of the samples; reached as nearly as whole clusters allow, both sides not empty.

    Raises:
        MetricInputError: one cluster, or a share that is not between 0 and 1.
    """
    labels = Factors.of({"cluster": clusters}).values[:, 0]
    sizes = np.bincount(labels)
    if len(sizes) < 2 or not 0 < share < 1:
        raise MetricInputError(
            f"there are {len(sizes)} clusters to split at a share of {share}; it takes at least 2 "
            "clusters, and a share between 0 and 1."
        )
    order = np.random.default_rng(seed).permutation(len(sizes))
    sums = np.cumsum(sizes[order])[:-1]
    n_taken = 1 + int(np.abs(sums - share * len(labels)).argmin())
    return np.isin(labels, order[:n_taken])


def held_out_mig(
    codes: CodesLike, factors: FactorsLike, chosen_on: Bool[NDArray[Any], " n"], *, n_bins: int = 20
) -> HeldOutScore:
    """Compute `mig` on other samples, for two latents per factor chosen on `chosen_on`; -1 to 1.

    Raises:
        MetricInputError: malformed or mismatched input, or an empty side.
    """
    codes, factors, chosen_on = _checked(codes, factors, chosen_on)
    settings = {"binning": "equal_width", "n_bins": n_bins, **_sizes(chosen_on)}
    sides = [(codes.samples(mask), factors.samples(mask)) for mask in (chosen_on, ~chosen_on)]
    why = _why_undefined(sides)
    if codes.d_sae == 1:
        why = "there is one latent, which has no runner-up"
    if why:
        return _undefined(factors, why, settings)
    choosing, scoring = (
        contingency(equal_width_bins(side, n_bins), labels) for side, labels in sides
    )
    chosen = factor_gaps(mutual_information(choosing), factor_entropies(choosing))
    shares = normalised(mutual_information(scoring), factor_entropies(scoring))
    return _score(factors, chosen, shares, settings)


def held_out_value_mig(
    codes: CodesLike,
    factors: FactorsLike,
    chosen_on: Bool[NDArray[Any], " n"],
    *,
    n_quantiles: int = 4,
) -> HeldOutScore:
    """Compute `value_mig` on other samples, for latents chosen on `chosen_on`; -1 to 1.

    Raises:
        MetricInputError: malformed or mismatched input, or an empty side.
    """
    codes, factors, chosen_on = _checked(codes, factors, chosen_on)
    settings = {"binning": "sparse", "n_quantiles": n_quantiles, **_sizes(chosen_on)}
    sides = [(codes.samples(mask), factors.samples(mask)) for mask in (chosen_on, ~chosen_on)]
    why = _why_undefined(sides)
    if why:
        return _undefined(factors, why, settings)
    choosing, scoring = (
        contingency(sparse_bins(side, n_quantiles), labels) for side, labels in sides
    )
    chosen = value_gaps(information(choosing), choosing, mean_activations(*sides[0]))
    shares = normalised(information(scoring).values, value_entropies(scoring))
    return _score(factors, chosen, shares, settings)


def _checked(
    codes: CodesLike, factors: FactorsLike, chosen_on: Any
) -> tuple[Codes, Factors, NDArray[np.bool_]]:
    codes, factors = same_samples(codes, factors)
    mask = np.asarray(chosen_on)
    if mask.dtype != np.bool_ or mask.shape != (codes.n,) or mask.all() or not mask.any():
        raise MetricInputError(
            f"chosen_on is {mask.dtype} of shape {mask.shape}; it must be a mask of {codes.n} "
            "samples with some on either side."
        )
    return codes, factors, mask


def _sizes(chosen_on: NDArray[np.bool_]) -> dict[str, int]:
    return {"n_chosen_on": int(chosen_on.sum()), "n_scored_on": int((~chosen_on).sum())}


def _why_undefined(sides: list[tuple[Codes, Factors]]) -> str | None:
    reasons = [why_no_latent_varies(codes) for codes, _ in sides]
    return next((f"on one split {why}" for why in reasons if why), None)


def _undefined(factors: Factors, why: str, settings: dict[str, Any]) -> HeldOutScore:
    nothing = dict.fromkeys(factors.names)
    return HeldOutScore(**no_score(factors, why), settings=settings, best_information=nothing)


def _score(
    factors: Factors, chosen: Gaps, shares: NDArray[np.float64], settings: dict[str, Any]
) -> HeldOutScore:
    """Compute gaps of the chosen latents from shares [d_sae, n] of each factor, or each value."""
    columns = np.arange(shares.shape[1])
    best = shares[chosen.best, columns]
    second = np.where(chosen.runner_up == chosen.best, 0, shares[chosen.runner_up, columns])
    defined = ~np.isnan(chosen.gaps)
    gaps = np.where(defined, best - second, np.nan)
    best = np.where(defined, best, np.nan)
    if len(columns) > factors.n_factors:
        gaps, best = (mean_by_factor(each, factors.value_ptr) for each in (gaps, best))
    fields = score_fields(
        factors,
        gaps,
        {name: f"factor '{name}' has one value on one of the splits" for name in factors.names},
    )
    return HeldOutScore(
        **fields,
        settings=settings,
        best_information={
            name: None if np.isnan(value) else float(value)
            for name, value in zip(factors.names, best, strict=True)
        },
    )
