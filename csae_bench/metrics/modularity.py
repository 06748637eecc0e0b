"""Modularity: how far each latent is informative about one factor at most."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from csae_bench.metrics.importances import Importances, information_importances
from csae_bench.metrics.inputs import CodesLike, FactorsLike
from csae_bench.metrics.score import Score


def modularity(codes: CodesLike, factors: FactorsLike, *, n_quantiles: int = 4) -> Score:
    """Average over latents how far each informs about its best factor alone, 0 to 1.

    One minus the squared mutual information with the other factors, relative to as much of it as
    with the best. Every latent that varies counts alike: of thousands that no factor concerns, the
    value says little, and it is not about whether any factor is captured. Of a factor: the mean
    over the latents whose best factor it is. Undefined for fewer than two factors.
    Ridgeway and Mozer 2018, arXiv:1802.05312, section 3; on the sparse bins.

    Raises:
        MetricInputError: malformed or mismatched input.

    Examples:
        >>> topic, tense = ["law", "music"] * 20, ["past", "past", "now", "now"] * 10
        >>> codes = np.array([[t == "law", n == "now"] for t, n in zip(topic, tense, strict=True)])
        >>> modularity(codes, {"topic": topic, "tense": tense}).value
        1.0
    """
    return modularity_of(information_importances(codes, factors, n_quantiles=n_quantiles))


def modularity_of(importances: Importances) -> Score:
    """Modularity of a matrix of mutual information."""
    reason = importances.why_undefined(n_factors=2)
    if reason:
        return Score(**importances.no_score(reason), settings=importances.settings)
    information = importances.values
    per_latent = latent_modularity(information)
    informed = information.any(1)
    best = information.argmax(1)[informed]
    n_factors = information.shape[1]
    counts = np.bincount(best, minlength=n_factors)
    sums = np.bincount(best, per_latent[informed], minlength=n_factors)
    by_factor = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    otherwise = "no latent is more informative about this factor than about any other"
    fields = importances.score(float(per_latent.mean()), by_factor, otherwise)
    return Score(**fields, settings=importances.settings)


def latent_modularity(
    information: Float[NDArray[Any], "d_sae n_factors"],
) -> Float[NDArray[Any], " d_sae"]:
    """Modularity of each latent, 0 to 1; 0 without any information. Needs 2 factors or more."""
    largest = information.max(1, keepdims=True)
    # relative first: the square of a small number could vanish
    relative = np.square(information / np.where(largest > 0, largest, 1.0))
    others = (relative.sum(1) - 1) / (information.shape[1] - 1)
    return np.where(largest[:, 0] > 0, 1 - others, 0.0)
