"""Training samples of metrics that fit a model."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.inputs import LabelsLike
from csae_bench.metrics.splits import split_clusters


def training_samples(
    n: int, clusters: LabelsLike | None = None, *, share: float, seed: int
) -> Bool[NDArray[Any], " n"]:
    """Draw a mask of a share of the samples, in whole clusters; a single sample is taken.

    Args:
        clusters: labels [n], such as of templates; None: each sample by itself.

    Raises:
        MetricInputError: not one label a sample, one cluster, or a share not between 0 and 1.
    """
    labels = np.arange(n) if clusters is None else np.asarray(clusters)
    if labels.shape != (n,):
        raise MetricInputError(
            f"clusters have the shape {labels.shape} and there are {n} samples; give one label for "
            "each."
        )
    if n == 1:
        return np.ones(1, np.bool_)
    return split_clusters(labels, share=share, seed=seed)
