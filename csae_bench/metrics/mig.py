"""Mutual information gap: classic, by value for sparse codes, and by latent (MIG-sup).

Classic MIG is about 0 on an oracle SAE, whose latents share a factor's values among them. Never
read it alone, but together with `value_mig`, in which such latents do not compete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csae_bench.metrics.contingency import contingency, factor_entropies, information
from csae_bench.metrics.contingency import mutual_information as mutual_information_of
from csae_bench.metrics.data import Factors
from csae_bench.metrics.discretise import MAX_VALUES, MIN_REPEATS, equal_width_bins, sparse_bins
from csae_bench.metrics.gaps import (
    factor_gaps,
    mean_activations,
    mean_by_factor,
    sup_gaps,
    value_gaps,
)
from csae_bench.metrics.inputs import CodesLike, FactorsLike, same_samples
from csae_bench.metrics.score import (
    Score,
    no_score,
    none_if_nan,
    score_fields,
    why_no_latent_varies,
)

N_BINS = 20
N_QUANTILES = 4


@dataclass(frozen=True, kw_only=True)
class MigScore(Score):
    """Score of `mig`, with the latents that it is based on."""

    best_latents: dict[str, int | None]
    """The most informative latent for each factor, the first of equals."""


@dataclass(frozen=True, kw_only=True)
class ValueMigScore(Score):
    """Score of `value_mig`, with its parts by value."""

    by_value: dict[str, dict[str, float | None]]
    """Factor -> value -> gap; None for a value that no sample or every one has."""
    best_latents: dict[str, dict[str, int | None]]
    """Factor -> value -> the most informative latent, the first of equals."""
    best_information: dict[str, dict[str, float | None]]
    """Factor -> value -> that latent's information in units of the value's entropy."""
    runner_up_latents: dict[str, dict[str, int | None]]
    """Factor -> value -> the most informative of the latents that compete with it; None where none
    of them has any information."""


def mig(codes: CodesLike, factors: FactorsLike, *, n_bins: int = N_BINS) -> MigScore:
    """Gap between the two most informative latents, averaged over factors.

    In units of factor entropy: 0 (entangled, or shared among latents) to 1 (one latent per
    factor). Codes in 20 bins of equal width, as in disentanglement_lib; factors with one value are
    left out. Biased upward with many latents: see `nulls.permutation_null`.
    Chen et al. 2018, arXiv:1802.04942, eq. 6.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.

    Raises:
        MetricInputError: malformed or mismatched input.

    Examples:
        >>> topic = ["law", "music", "sports"] * 20
        >>> codes = [[row == name for name in ("law", "music", "sports")] for row in topic]
        >>> round(mig(np.array(codes), {"topic": topic}).value, 3)  # three latents are alike
        0.0
    """
    codes, factors = same_samples(codes, factors)
    settings = {"binning": "equal_width", "n_bins": n_bins}
    why = why_no_latent_varies(codes)
    if codes.d_sae == 1:
        why = "there is one latent, which has no runner-up"
    if why:
        nothing = dict.fromkeys(factors.names)
        return MigScore(**no_score(factors, why), settings=settings, best_latents=nothing)
    table = contingency(equal_width_bins(codes, n_bins), factors)
    gaps = factor_gaps(mutual_information_of(table), factor_entropies(table))
    return MigScore(
        **score_fields(factors, gaps.gaps),
        settings=settings,
        best_latents={
            name: None if np.isnan(gap) else int(latent)
            for name, gap, latent in zip(factors.names, gaps.gaps, gaps.best, strict=True)
        },
    )


def value_mig(
    codes: CodesLike, factors: FactorsLike, *, n_quantiles: int = N_QUANTILES
) -> ValueMigScore:
    """Gap between the two latents that best detect a factor's value, siblings left out.

    Each value one against the rest, in units of that indicator's entropy; the mean over a
    factor's values, then over factors: 0 to 1 (each value has a latent of its own, or each factor
    one that tells its values apart). Siblings, latents for other values of the same factor, do not
    compete; duplicates do. On sparse bins: a zero bin and quantiles of the non-zeros.
    Biased upward with many latents: see `nulls.permutation_null`. After Chen et al. 2018,
    arXiv:1802.04942, eq. 6, with the competitor as in `gaps.value_gaps`.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        n_quantiles: bins of a latent's non-zeros; see `sparse_bins`.

    Raises:
        MetricInputError: malformed or mismatched input.

    Examples:
        >>> topic = ["law", "music", "sports"] * 20
        >>> codes = [[row == name for name in ("law", "music", "sports")] for row in topic]
        >>> score = value_mig(np.array(codes), {"topic": topic})
        >>> score.value, score.best_latents["topic"]  # each value has a latent of its own
        (1.0, {'law': 0, 'music': 1, 'sports': 2})
    """
    codes, factors = same_samples(codes, factors)
    settings = _sparse_settings(n_quantiles)
    why = why_no_latent_varies(codes)
    if why:
        nothing = _by_value(factors, np.full(int(factors.value_ptr[-1]), np.nan))
        none = {name: dict.fromkeys(values) for name, values in nothing.items()}
        return ValueMigScore(
            **no_score(factors, why),
            settings=settings,
            by_value=nothing,
            best_latents=none,
            best_information=nothing,
            runner_up_latents=none,
        )
    table = contingency(sparse_bins(codes, n_quantiles), factors)
    gaps = value_gaps(information(table), table, mean_activations(codes, factors))
    return ValueMigScore(
        **score_fields(factors, mean_by_factor(gaps.gaps, factors.value_ptr)),
        settings=settings,
        by_value=_by_value(factors, gaps.gaps),
        best_latents=_latents_by_value(factors, gaps.best, ~np.isnan(gaps.gaps)),
        best_information=_by_value(factors, gaps.highest),
        runner_up_latents=_latents_by_value(factors, gaps.runner_up, gaps.gaps < gaps.highest),
    )


def mig_sup(codes: CodesLike, factors: FactorsLike, *, n_quantiles: int = N_QUANTILES) -> Score:
    """Gap between a latent's two most informative factors, averaged over latents.

    Each factor's information in units of its entropy: 0 (latents mix factors, or are uninformative)
    to 1 (each latent is informative about one factor alone). Latents that never vary are left out.
    A factor's value is the mean over the latents most informative about it, None where there are
    none. On sparse bins. Li et al. 2020, arXiv:2002.10549.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        n_quantiles: bins of a latent's non-zeros; see `sparse_bins`.

    Raises:
        MetricInputError: malformed or mismatched input.

    Examples:
        >>> topic, tense = ["law", "music"] * 20, ["past", "past", "now", "now"] * 10
        >>> codes = np.array([[t == "law", n == "now"] for t, n in zip(topic, tense, strict=True)])
        >>> mig_sup(codes, {"topic": topic, "tense": tense}).value  # one factor per latent
        1.0
    """
    codes, factors = same_samples(codes, factors)
    settings = _sparse_settings(n_quantiles)
    table = contingency(sparse_bins(codes, n_quantiles), factors)
    entropies = factor_entropies(table)
    why = why_no_latent_varies(codes)
    if np.count_nonzero(entropies) < 2:
        why = "fewer than two factors have more than one value"
    if why:
        return Score(**no_score(factors, why), settings=settings)
    gaps = sup_gaps(mutual_information_of(table)[codes.varies], entropies)
    fields = score_fields(
        factors,
        gaps.by_factor,
        {
            name: f"no latent is more informative about factor '{name}' than about any other"
            for name, entropy in zip(factors.names, entropies, strict=True)
            if entropy > 0
        },
        value=float(gaps.gaps.mean()),
    )
    return Score(**fields, settings=settings)


def binning_sensitivity(
    codes: CodesLike, factors: FactorsLike, *, n_quantiles: Sequence[int] = (1, 4, 8)
) -> dict[str, dict[int, float | None]]:
    """Compute `value_mig` and `mig_sup` at several numbers of quantile bins: name -> Q -> value."""
    codes, factors = same_samples(codes, factors)
    return {
        metric.__name__: {q: metric(codes, factors, n_quantiles=q).value for q in n_quantiles}
        for metric in (value_mig, mig_sup)
    }


def _latents_by_value(
    factors: Factors, latents: NDArray[np.int64], is_known: NDArray[np.bool_]
) -> dict[str, dict[str, int | None]]:
    """Return factor -> value -> latent; None where it is not known."""
    by_value = _by_value(factors, np.where(is_known, latents, np.nan))
    return {
        name: {value: None if j is None else int(j) for value, j in values.items()}
        for name, values in by_value.items()
    }


def _sparse_settings(n_quantiles: int) -> dict[str, Any]:
    return {
        "binning": "sparse",
        "n_quantiles": n_quantiles,
        "max_values": MAX_VALUES,
        "min_repeats": MIN_REPEATS,
    }


def _by_value(factors: Factors, values: Any) -> dict[str, dict[str, float | None]]:
    return {
        name: {
            value_name: none_if_nan(value)
            for value_name, value in zip(value_names, values[first:last], strict=True)
        }
        for name, value_names, first, last in zip(
            factors.names,
            factors.value_names,
            factors.value_ptr[:-1],
            factors.value_ptr[1:],
            strict=True,
        )
    }
