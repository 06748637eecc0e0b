"""CE-Bench's scores of pairs of texts, from their mean codes.

Gulko, Peng & Kumar 2025, arXiv:2509.00691, as the authors' code computes them
(github.com/Yusen-Peng/CE-Bench, ce_bench/CE_Bench.py): a pair's score is the largest over latents
of a distance in standard deviations over the latents. A latent that alone differs has about
sqrt(d_sae), so that scores of SAEs of different widths do not compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from scipy import sparse

from csae_bench.metrics.errors import MetricInputError

SCORES = ("contrastive_score", "independence_score", "interpretability_score")

_MAX_DENSE = 2**22
"""Codes that are dense at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairCodes:
    """Mean codes of the two texts of each pair."""

    first: Any
    """scipy csr_array [n, d_sae]."""
    second: Any
    """scipy csr_array [n, d_sae]."""
    n_first: Int64[NDArray[Any], " n"]
    """Tokens of the first texts."""
    n_second: Int64[NDArray[Any], " n"]
    """Tokens of the second texts."""

    @property
    def n(self) -> int:
        """Pairs."""
        return int(self.first.shape[0])

    def paired_anew(self, rng: np.random.Generator) -> PairCodes:
        """Give each first text the second one of another pair, drawn at random.

        Raises:
            MetricInputError: there is one pair.
        """
        if self.n < 2:
            raise MetricInputError("there is one pair; partners of two or more can be exchanged.")
        order = rng.permutation(self.n)
        partner = np.empty(self.n, dtype=np.int64)
        partner[order] = np.roll(order, 1)
        return PairCodes(
            first=self.first,
            second=self.second[partner],
            n_first=self.n_first,
            n_second=self.n_second[partner],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class PairScores:
    """Scores of each pair, in standard deviations over the latents; 0 where no latent differs."""

    contrastive_score: Float[NDArray[Any], " n"]
    """Of |V1 - V2|, the mean codes of the two texts."""
    independence_score: Float[NDArray[Any], " n"]
    """Of |I - I_avg|, the mean code over both texts and its mean over all pairs."""
    interpretability_score: Float[NDArray[Any], " n"]
    """Of the sum of both distances."""
    independence_score_as_run: Float[NDArray[Any], " n"]
    """Of |I|: the authors' code adds I_avg to itself, from 0, so that it stays 0."""

    def means(self) -> dict[str, float]:
        """Return the mean of each score over the pairs."""
        return {name: float(values.mean()) for name, values in vars(self).items()}


def pair_scores(pairs: PairCodes) -> PairScores:
    """Compute CE-Bench's scores of each pair, in float64.

    Raises:
        MetricInputError: the texts' codes differ in shape, or there is one latent.
    """
    if pairs.first.shape != pairs.second.shape:
        raise MetricInputError(
            f"the first texts have codes {[*pairs.first.shape]}, the second "
            f"{[*pairs.second.shape]}; they must be of equal shape."
        )
    if pairs.first.shape[1] < 2:
        raise MetricInputError("there is one latent; deviations over latents need two.")
    weight = (pairs.n_first / (pairs.n_first + pairs.n_second))[:, None]
    both: Any = sparse.csr_array(pairs.first.multiply(weight) + pairs.second.multiply(1 - weight))
    average = np.asarray(both.mean(axis=0), dtype=np.float64).ravel()
    parts: dict[str, list[NDArray[Any]]] = {}
    for rows in _blocks(pairs.n, pairs.first.shape[1]):
        contrast = np.abs(_dense(pairs.first[rows]) - _dense(pairs.second[rows]))
        of_both = _dense(both[rows])
        independence = np.abs(of_both - average)
        for name, distance in (
            ("contrastive_score", contrast),
            ("independence_score", independence),
            ("interpretability_score", contrast + independence),
            ("independence_score_as_run", np.abs(of_both)),
        ):
            parts.setdefault(name, []).append(_largest_deviation(distance))
    return PairScores(**{name: np.concatenate(blocks) for name, blocks in parts.items()})


def _largest_deviation(
    distance: Float[NDArray[Any], "n d_sae"],
) -> Float[NDArray[Any], " n"]:
    deviation = distance.std(axis=1, ddof=1)
    above = distance.max(axis=1) - distance.mean(axis=1)
    return above / np.where(deviation > 0, deviation, 1.0)


def _blocks(n: int, d_sae: int) -> Iterator[slice]:
    size = max(1, _MAX_DENSE // d_sae)
    return (slice(start, start + size) for start in range(0, n, size))


def _dense(codes: Any) -> Float[NDArray[Any], "n d_sae"]:
    return codes.toarray().astype(np.float64)
