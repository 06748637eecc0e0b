"""Importance of each latent for each factor, from which DCI and modularity are computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from csae_bench.metrics.contingency import Counter, count_with, mutual_information
from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.discretise import MAX_VALUES, MIN_REPEATS, sparse_bins
from csae_bench.metrics.inputs import CodesLike, FactorsLike, same_samples
from csae_bench.metrics.score import Score, no_score, score_fields


@dataclass(frozen=True, kw_only=True)
class BestLatentScore(Score):
    """A score with the latents that it is based on."""

    best_latents: dict[str, int | None]
    """The latent that is best at each factor, the first of equals."""


@dataclass(frozen=True, eq=False)
class Importances:
    """An importance matrix of the latents and factors that vary.

    Latents and factors that are constant over the samples say nothing and are left out, so that
    dead latents change no score.
    """

    values: Float[NDArray[Any], "n_varying_latents n_varying_factors"]
    """0 or above."""
    latents: Int[NDArray[Any], " n_varying_latents"]
    """Their indices among all latents."""
    varying: Int[NDArray[Any], " n_varying_factors"]
    """Their indices among all factors."""
    factors: Factors
    settings: dict[str, Any]

    def why_undefined(self, *, n_latents: int = 1, n_factors: int = 1) -> str | None:
        """Return a reason if fewer latents or factors vary than needed, or none matters."""
        if not len(self.latents):
            return "no latent varies over the samples"
        if len(self.latents) < n_latents:
            return f"fewer than {n_latents} latents vary over the samples"
        if len(self.varying) < n_factors:
            return f"fewer than {n_factors} factors have more than one value"
        return None if self.values.any() else "no latent is informative about any factor"

    def score(
        self, value: float, by_factor: Float[NDArray[Any], " n_varying_factors"], otherwise: str
    ) -> dict[str, Any]:
        """Return a Score's fields but its settings; NaN is None, for the reason `otherwise`."""
        every = np.full(self.factors.n_factors, np.nan)
        every[self.varying] = by_factor
        why = {self.factors.names[k]: otherwise for k in self.varying}
        return {**score_fields(self.factors, every, why), "value": value}

    def no_score(self, reason: str) -> dict[str, Any]:
        """Return the fields of an undefined Score, but its settings."""
        return no_score(self.factors, reason)

    def best_latents(self) -> dict[str, int | None]:
        """Return the most important latent of each factor; None where none matters."""
        best: dict[str, int | None] = dict.fromkeys(self.factors.names)
        for k, column in zip(self.varying, self.values.T, strict=True):
            if column.any():
                best[self.factors.names[k]] = int(self.latents[column.argmax()])
        return best

    def above(self, minimum: Mapping[str, float]) -> Importances:
        """Replace by 0 what does not exceed its factor's minimum.

        Each of thousands of unrelated latents seems slightly informative, and all of them together
        much: with the quantiles of a null as minima, that is taken out.
        """
        floor = np.array([minimum[self.factors.names[k]] for k in self.varying])
        settings = {**self.settings, "minimum": dict(minimum)}
        values = np.where(self.values > floor, self.values, 0.0)
        return Importances(values, self.latents, self.varying, self.factors, settings)


def information_importances(
    codes: CodesLike, factors: FactorsLike, *, n_quantiles: int = 4
) -> Importances:
    """Mutual information in nats, on sparse bins. Plug-in, not corrected for chance.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        n_quantiles: bins of a latent's non-zeros; see `sparse_bins`.

    Raises:
        MetricInputError: malformed or mismatched input.
    """
    codes, factors = same_samples(codes, factors)
    return importances_of(sparse_counter(codes, n_quantiles), factors)


class SparseCounter(NamedTuple):
    """Sparse bins of the latents that vary, ready to be counted against any factors."""

    counter: Counter | None
    """None where no latent varies."""
    latents: Int[NDArray[Any], " n_varying_latents"]
    """Their indices among all latents."""
    n_quantiles: int


def sparse_counter(codes: Codes, n_quantiles: int) -> SparseCounter:
    """Make the sparse bins once.

    Raises:
        MetricInputError: fewer than one quantile.
    """
    binned, latents = sparse_bins(codes, n_quantiles), np.flatnonzero(codes.varies)
    counter = Counter(binned.latents(latents)) if len(latents) else None
    return SparseCounter(counter, latents, n_quantiles)


def importances_of(counted: SparseCounter, factors: Factors) -> Importances:
    """`information_importances` of bins made before."""
    settings = {
        "importance": "mutual_information",
        "binning": "sparse",
        "n_quantiles": counted.n_quantiles,
        "max_values": MAX_VALUES,
        "min_repeats": MIN_REPEATS,
    }
    varying = varying_factors(factors)
    if counted.counter is None:
        information = np.zeros((0, factors.n_factors))
    else:
        information = mutual_information(count_with(counted.counter, factors))
    return Importances(information[:, varying], counted.latents, varying, factors, settings)


def varying_factors(factors: Factors) -> NDArray[np.int64]:
    """Return the indices of the factors that take more than one value over the samples."""
    return np.flatnonzero(np.any(factors.values != factors.values[:1], axis=0))
