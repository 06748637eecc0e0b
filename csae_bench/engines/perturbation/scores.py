"""TPP and SCR from which test texts each probe gets right, with intervals over the texts.

Karvonen et al. 2024, arXiv:2411.18895; Karvonen et al. 2025, arXiv:2503.09532.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from csae_bench.metrics.bootstrap import cluster_draws

MIN_GAP = 0.05
"""Accuracy that a correlation must cost a probe, for SCR to say which share of it comes back."""


class Estimate(NamedTuple):
    """A value with its 95% interval; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class TppTexts:
    """A dataset of tpp: which test texts of each class's probe are right."""

    classes: tuple[str, ...]
    clean: Mapping[str, Bool[NDArray[Any], " n_test"]]
    """Probe -> its texts, nothing ablated."""
    ablated: Mapping[tuple[str, int], Mapping[str, Bool[NDArray[Any], " n_test"]]]
    """Class whose latents are ablated, and their number -> probe -> the same texts."""


def tpp(
    datasets: Sequence[TppTexts], n: int, *, n_resamples: int, seed: int
) -> dict[str, Estimate]:
    """Return TPP with its two parts when ablating `n` latents of a class.

    `intended_diff_only`: accuracy that the class's own probe loses; `unintended_diff_only`: what
    the other classes' probes lose on average; `total_metric`: their difference. Means over classes
    and then over datasets. The same latents for each class give exactly 0.
    """
    drawn = [_drawn_tpp(dataset, n, n_resamples, seed + i) for i, dataset in enumerate(datasets)]
    table = np.mean(drawn, axis=0)
    names = ("total_metric", "intended_diff_only", "unintended_diff_only")
    return {
        name: _estimate(column[0], column[1:]) for name, column in zip(names, table.T, strict=True)
    }


def _drawn_tpp(
    dataset: TppTexts, n: int, n_resamples: int, seed: int
) -> Float[NDArray[Any], "n_draws 3"]:
    """Return the values of the texts as they are, and then of each resample."""
    n_classes = len(dataset.classes)
    lost = np.empty((n_resamples + 1, n_classes, n_classes))  # probe, class ablated
    for i, probe in enumerate(dataset.classes):
        clean = dataset.clean[probe].astype(float)
        diffs = np.stack(
            [clean - dataset.ablated[ablated, n][probe] for ablated in dataset.classes], axis=1
        )
        lost[:, i] = _weights(len(clean), n_resamples, seed * 1000 + i) @ diffs
    intended = np.einsum("rcc->r", lost) / n_classes
    unintended = (lost.sum((1, 2)) - intended * n_classes) / (n_classes * (n_classes - 1))
    return np.stack([intended - unintended, intended, unintended], axis=1)


@dataclass(frozen=True, kw_only=True)
class ScrTexts:
    """One direction of one pair of scr: which texts are right, of data that are balanced."""

    clean: Bool[NDArray[Any], " n_test"]
    """By the probe that learned on balanced data."""
    biased: Bool[NDArray[Any], " n_test"]
    """By the probe that learned on data in which the labels go together."""
    ablated: Mapping[int, Bool[NDArray[Any], " n_test"]]
    """The biased probe's, with so many latents of the other label ablated."""

    @property
    def gap(self) -> float:
        """Accuracy that the correlation costs."""
        return float(self.clean.mean() - self.biased.mean())


def scr(texts: Sequence[ScrTexts], n: int, *, n_resamples: int, seed: int) -> Estimate:
    """Return the share of the lost accuracy that comes back when ablating `n` latents.

    All that came back over all that was lost, summed over the pairs: a mean of ratios would be
    ruled by pairs that lost next to nothing. None where the mean loss is below `MIN_GAP`.
    """
    if not texts or float(np.mean([pair.gap for pair in texts])) < MIN_GAP:
        return Estimate(None, None, None)
    back = lost = np.zeros(n_resamples + 1)
    for i, pair in enumerate(texts):
        weights = _weights(len(pair.clean), n_resamples, seed * 1000 + i)
        biased = pair.biased.astype(float)
        back = back + weights @ (pair.ablated[n] - biased)
        lost = lost + weights @ (pair.clean - biased)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(lost > 0, back / lost, np.nan)
    return _estimate(ratios[0], ratios[1:])


def _weights(n: int, n_resamples: int, seed: int) -> Float[NDArray[Any], "n_draws n"]:
    drawn = cluster_draws(n, n_resamples, seed) / n
    return np.concatenate([np.full((1, n), 1 / n), drawn])


def _estimate(value: float, drawn: Float[NDArray[Any], " n_resamples"]) -> Estimate:
    defined = drawn[~np.isnan(drawn)]
    if len(defined) < len(drawn) / 2:
        return Estimate(float(value), None, None)
    low, high = np.quantile(defined, [0.025, 0.975])
    return Estimate(float(value), float(low), float(high))
