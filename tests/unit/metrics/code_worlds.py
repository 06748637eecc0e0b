"""Codes whose metrics are known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class World(NamedTuple):
    """Codes and the factors behind them."""

    codes: NDArray[Any]
    factors: NDArray[Any]


def grid(n_values: int = 4, n_factors: int = 3, copies: int = 30) -> NDArray[Any]:
    """Every combination of values equally often: [n_values**n_factors * copies, n_factors]."""
    axes = np.meshgrid(*[np.arange(n_values)] * n_factors, indexing="ij")
    return np.tile(np.stack(axes, -1).reshape(-1, n_factors), (copies, 1))


def scalar(n_values: int = 4) -> World:
    """One latent a factor, whose magnitude is the value."""
    factors = grid(n_values)
    return World(factors.astype(float), factors)


def one_hot(seed: int, n_values: int = 4) -> World:
    """One latent a value, with lognormal magnitudes: an oracle SAE."""
    factors = grid(n_values)
    rng = np.random.default_rng(seed)
    active = np.eye(n_values)[factors].reshape(len(factors), -1)
    return World(active * rng.lognormal(size=active.shape), factors)


def rare(seed: int, n: int, n_latents: int, rate: float = 0.02) -> NDArray[Any]:
    """Latents that fire at random, on this share of the samples."""
    rng = np.random.default_rng(seed)
    return (rng.random((n, n_latents)) < rate) * rng.lognormal(size=(n, n_latents))


def random(seed: int, n_latents: int = 40) -> World:
    """Codes that know nothing of the factors."""
    factors = grid()
    return World(rare(seed, len(factors), n_latents, rate=0.2), factors)
