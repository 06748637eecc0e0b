"""Corrected values of sparse_probing with their intervals, and why one is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csae_bench.engines.sparse_probing.fields import PROBES

LOWER_VRAM = "evals.sparse_probing.lower_vram_usage is true, so there is no probe on all latents"
LOWER_VRAM_MARK = "SAE-Bench writes -1 for the probe on all latents under lower_vram_usage."

Values = dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class ProbeAccuracies:
    """Accuracies of one dataset's probes on the same rows for every SAE."""

    by_probe: Mapping[str, NDArray[np.float64]]
    """`sae`, `sae_top_1`, `llm` and so on -> accuracy of each class."""
    classes: tuple[str, ...]
    n_test: int
    """Test texts of each class's probe."""


def corrected(
    datasets: Mapping[str, ProbeAccuracies], *, n_resamples: int, seed: int
) -> tuple[Values, dict[str, str]]:
    """Return each probe's mean accuracy with the ends of its interval, and reasons for nulls.

    The mean is over classes and then over datasets, as SAE-Bench's. The 95% interval is that of
    drawing the test texts of each class anew; it says nothing of other classes or training texts.
    """
    values: Values = {}
    reasons: dict[str, str] = {}
    rng = np.random.default_rng(seed)
    for probe in PROBES:
        name = f"{probe}_test_accuracy"
        names = (name, f"{name}_low", f"{name}_high")
        accuracies = [
            (d.by_probe[probe], d.n_test) for d in datasets.values() if probe in d.by_probe
        ]
        if not accuracies:
            values |= dict.fromkeys(names)
            reasons |= {f"corrected.{each}": _not_asked_for(probe) for each in names}
            continue
        drawn = np.mean(
            [rng.binomial(n, p, (n_resamples, len(p))).mean(1) / n for p, n in accuracies], axis=0
        )
        low, high = np.quantile(drawn, [0.025, 0.975])
        mean = float(np.mean([p.mean() for p, _ in accuracies]))
        values |= dict(zip(names, (mean, float(low), float(high)), strict=True))
    return values, reasons


def not_asked_for(metrics: Mapping[str, Mapping[str, float | None]]) -> dict[str, str]:
    """Map SAE-Bench's null fields to the reason why they are null."""
    return {
        name: _not_asked_for(name.removesuffix("_test_accuracy"))
        for of_category in metrics.values()
        for name, value in of_category.items()
        if value is None
    }


def _not_asked_for(probe: str) -> str:
    if probe == "sae":
        return LOWER_VRAM
    return f"{probe.rpartition('_')[2]} is not among evals.sparse_probing.k_values"


def by_class(datasets: Mapping[str, ProbeAccuracies]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the corrected accuracies of each dataset: probe -> class -> accuracy."""
    return {
        name: {
            f"{probe}_test_accuracy": dict(zip(of.classes, map(float, values), strict=True))
            for probe, values in of.by_probe.items()
        }
        for name, of in datasets.items()
    }
