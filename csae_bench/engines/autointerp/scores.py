"""Statistics of a judge's predictions, over latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from csae_bench.metrics.bootstrap import cluster_draws


class Predictions(NamedTuple):
    """A judge's answer on the scoring examples of one latent."""

    predicted: Bool[NDArray[Any], " n_examples"]
    """Whether the judge says that the latent fires."""
    is_active: Bool[NDArray[Any], " n_examples"]
    """SAE-Bench's label. An example that was drawn at random is never active."""
    fires: Bool[NDArray[Any], " n_examples"]
    """Whether the latent does fire, above the same threshold, with either sign."""

    @property
    def has_right_label(self) -> Bool[NDArray[Any], " n_examples"]:
        """Mask of the examples that are labelled as they are."""
        return self.is_active == self.fires


class LatentScore(NamedTuple):
    """Scores of one latent, over the examples with a right label."""

    accuracy: float
    """0 to 1; 10/14 for who says None to SAE-Bench's usual 4 active and 10 random examples."""
    balanced: float
    """Mean of the shares right among active and among silent examples; .5 for the same answer to
    each."""
    expected: float
    """Accuracy that as many predictions would have on shuffled examples."""


class Estimate(NamedTuple):
    """Mean over latents with its 95% percentile interval; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


def latent_score(predictions: Predictions) -> LatentScore | None:
    """Return a latent's scores; None without an active or a silent example of right label."""
    kept = predictions.has_right_label
    predicted, active = predictions.predicted[kept], predictions.is_active[kept]
    n_active = int(active.sum())
    if n_active in (0, len(active)):
        return None
    right = predicted == active
    share, base = predicted.mean(), active.mean()
    return LatentScore(
        accuracy=float(right.mean()),
        balanced=float((right[active].mean() + right[~active].mean()) / 2),
        expected=float(share * base + (1 - share) * (1 - base)),
    )


def estimate(values: Sequence[float], *, n_resamples: int, seed: int) -> Estimate:
    """Return the mean of a score with the interval from resampling latents.

    One latent has no interval.

    Raises:
        MetricInputError: fewer than 1000 resamples.
    """
    each: Float[NDArray[Any], " n_latents"] = np.array(values, dtype=np.float64)
    if not len(each):
        return Estimate(None, None, None)
    if len(each) == 1:
        return Estimate(float(each[0]), None, None)
    drawn = cluster_draws(len(each), n_resamples, seed) @ each / len(each)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(float(each.mean()), float(low), float(high))


def shuffled_p(
    answers: Sequence[Predictions], *, n_shuffles: int, rng: np.random.Generator
) -> float | None:
    """Return (1 + shuffles whose mean accuracy is as high) / (1 + shuffles); None if undefined.

    In each shuffle every latent's predictions meet its examples in another order, over the
    examples with a right label.
    """
    observed = 0.0
    drawn = np.zeros(n_shuffles)
    n_latents = 0
    for answer in answers:
        score = latent_score(answer)
        if score is None:
            continue
        kept = answer.has_right_label
        n, n_active = int(kept.sum()), int(answer.is_active[kept].sum())
        n_predicted = int(answer.predicted[kept].sum())
        n_hit = rng.hypergeometric(n_active, n - n_active, n_predicted, size=n_shuffles)
        drawn += (n - n_active - n_predicted + 2 * n_hit) / n
        observed += score.accuracy
        n_latents += 1
    if not n_latents:
        return None
    # sums of the same fractions may differ in their last bits
    return float((1 + (drawn >= observed - 1e-9).sum()) / (1 + n_shuffles))
