"""Codes whose scores are known, and slow transcriptions of published definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

Array = NDArray[Any]


def grid(n_values: int, n_factors: int = 5, repeats: int = 1) -> Array:
    """Every combination of values, `repeats` times: int64 [n, n_factors]."""
    axes = np.meshgrid(*[np.arange(n_values)] * n_factors, indexing="ij")
    return np.tile(np.stack(axes, -1).reshape(-1, n_factors), (repeats, 1))


def one_per_value(factors: Array) -> Array:
    """The oracle SAE: a latent for each value of each factor."""
    return np.concatenate([column[:, None] == np.unique(column) for column in factors.T], 1) * 1.0


def firing_at(rate: float, n: int, n_latents: int, rng: np.random.Generator) -> Array:
    """Latents that fire on this share of the samples at random, with lognormal magnitudes."""
    return (rng.random((n, n_latents)) < rate) * rng.lognormal(size=(n, n_latents))


def rotated(factors: Array) -> Array:
    """Eight factors through a Hadamard rotation, the middle of their values at 0."""
    return (factors - factors.max(0) / 2) @ hadamard(8) / np.sqrt(8)


def mig_slowly(codes: Array, factors: Array, n_bins: int = 20) -> float:
    """disentanglement_lib's mig.py, transcribed, without its constant factors."""
    binned = np.stack(
        [np.digitize(z, np.histogram(z, n_bins)[1][:-1]) for z in codes.astype(np.float64).T], 1
    )
    gaps = []
    for column in factors.T:
        informations = sorted(mutual_information_slowly(z, column) for z in binned.T)
        entropy = mutual_information_slowly(column, column)
        if entropy > 0:
            gaps.append((informations[-1] - informations[-2]) / entropy)
    return float(np.mean(gaps))


def mutual_information_slowly(first: Array, second: Array) -> float:
    """Sum of p(a, b) log(p(a, b) / (p(a) p(b))), in nats."""
    total = 0.0
    for a in np.unique(first):
        for b in np.unique(second):
            joint = np.mean((first == a) & (second == b))
            if joint > 0:
                total += joint * np.log(joint / (np.mean(first == a) * np.mean(second == b)))
    return total


def dense_bins(binned: Any) -> Array:
    """[n, d_sae] the bin of every code, zeros included."""
    dense = np.tile(binned.zero_bin, (binned.n, 1))
    latents = np.repeat(np.arange(binned.d_sae), np.diff(binned.indptr))
    dense[binned.indices, latents] = binned.bins
    return dense
