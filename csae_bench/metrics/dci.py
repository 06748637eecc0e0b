"""DCI: disentanglement of latents and completeness of factors, from an importance matrix.

Eastwood and Williams 2018, "A framework for the quantitative evaluation of disentangled
representations" (openreview By-7dz-AZ), section 2; weighted as in disentanglement_lib.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.special import entr

from csae_bench.metrics.importances import (
    BestLatentScore,
    Importances,
    information_importances,
)
from csae_bench.metrics.inputs import CodesLike, FactorsLike
from csae_bench.metrics.probes import PENALTY, probe_importances
from csae_bench.metrics.score import Score

_UNKNOWN = "no latent is informative about this factor"


class Dci(NamedTuple):
    """Both scores of one importance matrix."""

    disentanglement: Score
    completeness: BestLatentScore


def dci_disentanglement(codes: CodesLike, factors: FactorsLike, *, n_quantiles: int = 4) -> Score:
    """Score how far latents inform about one factor alone: 0 (about all alike) to 1 (about one).

    One minus the entropy of a latent's importances over factors, in units of the logarithm of
    their number; the mean over latents, weighted by importance. Importances are mutual information
    on the sparse bins, so those of unrelated latents are small, not 0. Of a factor: the same mean,
    weighted by the importance for this factor. Undefined for fewer than two factors.

    Raises:
        MetricInputError: malformed or mismatched input.

    Examples:
        >>> topic, tense = ["law", "music"] * 20, ["past", "past", "now", "now"] * 10
        >>> codes = np.array([[t == "law", n == "now"] for t, n in zip(topic, tense, strict=True)])
        >>> dci_disentanglement(codes, {"topic": topic, "tense": tense}).value
        1.0
    """
    importances = information_importances(codes, factors, n_quantiles=n_quantiles)
    return dci(importances).disentanglement


def dci_completeness(
    codes: CodesLike, factors: FactorsLike, *, n_quantiles: int = 4
) -> BestLatentScore:
    """Score how far factors are captured by one latent alone: 0 (by all alike) to 1 (by one).

    One minus the entropy of a factor's importances over latents, in units of the logarithm of
    their number; the mean over factors, weighted by importance. Latents that never vary are not
    counted. Undefined for fewer than two latents.

    Raises:
        MetricInputError: malformed or mismatched input.

    Examples:
        >>> topic, tense = ["law", "music"] * 20, ["past", "past", "now", "now"] * 10
        >>> codes = np.array([[t == "law", n == "now"] for t, n in zip(topic, tense, strict=True)])
        >>> dci_completeness(codes, {"topic": topic, "tense": tense}).value
        1.0
    """
    importances = information_importances(codes, factors, n_quantiles=n_quantiles)
    return dci(importances).completeness


def dci_from_probes(
    codes: CodesLike, factors: FactorsLike, *, penalty: float = PENALTY, seed: int = 0
) -> Dci:
    """Compute both scores from coefficients of L1 logistic regressions, one value against the rest.

    An importance is the mean over a factor's values of the coefficient's magnitude, per unit of
    the scaled latent, as Eastwood and Williams take lasso's.

    Raises:
        MetricInputError: malformed or mismatched input.
    """
    return dci(probe_importances(codes, factors, penalty=penalty, seed=seed))


def dci(importances: Importances) -> Dci:
    """Disentanglement and completeness of an importance matrix."""
    return Dci(_disentanglement(importances), _completeness(importances))


def latent_disentanglement(
    importances: Float[NDArray[Any], "d_sae n_factors"],
) -> Float[NDArray[Any], " d_sae"]:
    """Disentanglement of each latent, 0 to 1; 0 without any importance. Needs 2 factors or more."""
    return _concentration(importances)


def factor_completeness(
    importances: Float[NDArray[Any], "d_sae n_factors"],
) -> Float[NDArray[Any], " n_factors"]:
    """Completeness of each factor, 0 to 1; 0 without any importance. Needs two latents or more."""
    return _concentration(importances.T)


def _concentration(rows: Float[NDArray[Any], "n_rows n"]) -> Float[NDArray[Any], " n_rows"]:
    """One minus each row's entropy relative to the largest possible; 0 for a row of zeros."""
    totals = rows.sum(1)
    shares = rows / np.where(totals > 0, totals, 1.0)[:, None]
    concentration = 1 - entr(shares).sum(1) / np.log(rows.shape[1])
    return np.where(totals > 0, np.clip(concentration, 0.0, 1.0), 0.0)


def _disentanglement(importances: Importances) -> Score:
    reason = importances.why_undefined(n_factors=2)
    if reason:
        return Score(**importances.no_score(reason), settings=importances.settings)
    matrix = importances.values
    per_latent = latent_disentanglement(matrix)
    fields = importances.score(
        float(per_latent @ matrix.sum(1) / matrix.sum()),
        _over((per_latent[:, None] * matrix).sum(0), matrix.sum(0)),
        _UNKNOWN,
    )
    return Score(**fields, settings=importances.settings)


def _completeness(importances: Importances) -> BestLatentScore:
    reason = importances.why_undefined(n_latents=2)
    fields = importances.no_score(reason or "")
    if not reason:
        matrix = importances.values
        per_factor = factor_completeness(matrix)
        fields = importances.score(
            float(per_factor @ matrix.sum(0) / matrix.sum()),
            np.where(matrix.any(0), per_factor, np.nan),
            _UNKNOWN,
        )
    return BestLatentScore(
        **fields, settings=importances.settings, best_latents=importances.best_latents()
    )


def _over(sums: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted means from sums; NaN where there is no weight."""
    return np.where(weights > 0, sums / np.where(weights > 0, weights, 1.0), np.nan)
