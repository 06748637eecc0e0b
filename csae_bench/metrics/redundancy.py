"""Redundancy among latents: near-duplicates, and the effective number of dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.special import entr
from threadpoolctl import threadpool_limits

from csae_bench.metrics.correlation import products
from csae_bench.metrics.data import Codes
from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.eta_squared import Standardised, standardised
from csae_bench.metrics.inputs import CodesLike

_BLOCK_CELLS = 2**23


@dataclass(frozen=True, kw_only=True)
class Redundancy:
    """Near-duplicates among the latents, and the effective rank of the codes."""

    value: float | None
    """Share of the judged latents with a near-duplicate among them, 0 to 1."""
    reason: str | None
    """Why `value` is None."""
    latents: Int[NDArray[Any], " n_judged"]
    """Indices of the judged latents: those that vary and fire often enough."""
    nearest: Int[NDArray[Any], " n_judged"]
    """For each, the other judged latent with the largest |r|; the first of equals."""
    similarity: Float[NDArray[Any], " n_judged"]
    """|r| with that latent, 0 to 1."""
    effective_rank: float | None
    """1 to the number of judged latents: exp of the entropy of the singular values."""
    settings: dict[str, Any]


def redundancy(
    codes: CodesLike,
    *,
    threshold: float = 0.95,
    min_firings: int = 8,
    max_samples: int = 2048,
    seed: int = 0,
) -> Redundancy:
    """Share of latents that another one nearly repeats, and the codes' effective rank.

    Both on Pearson correlations, so neither depends on the scale of a latent. The effective rank
    is that of the standardised codes on at most `max_samples` random samples, and at most as
    large as their number. Roy and Vetterli 2007, "The effective rank", definition 1. Never holds
    a d_sae x d_sae matrix: at most 64 MiB of it at a time.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        threshold: |r| from which two latents are near-duplicates; above 0, at most 1.
        min_firings: latents that fire on fewer samples are not judged: two that fire once, on the
            same sample, would be duplicates.
        max_samples: for the effective rank.
        seed: of which samples these are.

    Raises:
        MetricInputError: malformed codes, or a setting out of range.
    """
    codes = Codes.of(codes)
    _check(threshold, max_samples)
    settings = {
        "threshold": threshold,
        "min_firings": min_firings,
        "max_samples": max_samples,
        "seed": seed,
    }
    often = np.diff(codes.csc.indptr) >= min_firings
    latents = np.flatnonzero(codes.varies & often)
    if len(latents) < 2:
        return Redundancy(
            value=None,
            reason=f"fewer than two latents vary and fire on at least {min_firings} samples",
            latents=latents,
            nearest=np.zeros(len(latents), np.int64),
            similarity=np.zeros(len(latents)),
            effective_rank=1.0 if len(latents) else None,
            settings=settings,
        )
    judged = codes.latents(latents)
    nearest, similarity = _nearest(standardised(judged), codes.n)
    return Redundancy(
        # the rounding of sums must not part exact duplicates at a threshold of 1
        value=float(np.mean(similarity >= threshold - 1e-12)),
        reason=None,
        latents=latents,
        nearest=latents[nearest],
        similarity=similarity,
        effective_rank=effective_rank(judged, max_samples=max_samples, seed=seed),
        settings=settings,
    )


@threadpool_limits.wrap(limits=1, user_api="blas")  # else its last bits follow the threads
def effective_rank(codes: Codes, *, max_samples: int = 2048, seed: int = 0) -> float | None:
    """Effective rank of the standardised codes; None if no latent varies over the drawn samples."""
    if codes.n > max_samples:
        drawn = np.random.default_rng(seed).choice(codes.n, max_samples, replace=False)
        codes = codes.samples(np.sort(drawn))
    units = standardised(codes)
    by_latent, sums = units.by_latent, units.sums
    if codes.d_sae <= codes.n:
        gram = products(by_latent, by_latent) - np.outer(sums, sums) / codes.n
    else:
        # centring the latents turns X X' into this; the sums are n times their means
        cross = by_latent.T @ (sums / codes.n)
        by_sample = by_latent.T.tocsr()
        gram = products(by_sample, by_sample) - cross[:, None] - cross
        gram += sums @ sums / codes.n**2
    eigenvalues = np.linalg.eigvalsh(gram)
    rounding = eigenvalues[-1] * len(gram) * np.finfo(np.float64).eps
    singular = np.sqrt(np.where(eigenvalues > max(rounding, 0.0), eigenvalues, 0.0))
    if not singular.any():
        return None
    return float(np.exp(entr(singular / singular.sum()).sum()))


def _nearest(units: Standardised, n: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    nearest, similarity = [], []
    for block in _blocks(len(units.sums)):
        strength = products(units.by_latent[block], units.by_latent)
        strength -= np.outer(units.sums[block], units.sums) / n
        np.abs(strength, out=strength)
        strength[np.arange(len(strength)), np.arange(block.start, block.stop)] = -1
        best = strength.argmax(1)
        nearest.append(best)
        similarity.append(np.take_along_axis(strength, best[:, None], 1)[:, 0])
    return np.concatenate(nearest), np.minimum(np.concatenate(similarity), 1.0)


def _blocks(d_sae: int) -> Iterator[slice]:
    step = max(1, _BLOCK_CELLS // d_sae)
    for first in range(0, d_sae, step):
        yield slice(first, min(first + step, d_sae))


def _check(threshold: float, max_samples: int) -> None:
    if not 0 < threshold <= 1:
        raise MetricInputError(f"threshold is {threshold}; it must be above 0 and at most 1.")
    if max_samples < 2:
        raise MetricInputError(f"max_samples is {max_samples}; it must be at least 2.")
