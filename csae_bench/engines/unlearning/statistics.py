"""Statistics of a sweep's answers: the score, its uncertainty, and its value by chance.

Pure: answers in, numbers out. The rule is SAE-Bench's `get_unlearning_scores`: among the settings
that keep at least 99% of the retain questions right, the largest share of the forget questions that
is answered wrong; 0 where no setting does. It is the best of many settings on the very questions
that it reports, so it flatters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from scipy import stats

from csae_bench.metrics.bootstrap import PercentileInterval

RETAIN_ACCURACY = 0.99
"""Accuracy on the retain questions below which a setting does not count; SAE-Bench's."""

LEVEL = 0.95
"""Confidence level of the interval."""

_TOO_FEW = "there are fewer than two questions to forget or to retain"

Forget = Bool[NDArray[np.bool_], "n_settings n_forget"]
Retain = Bool[NDArray[np.bool_], "n_settings n_retain"]
Accuracy = Float[NDArray[np.float64], "n_settings *draws"]


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """The score of settings that were chosen on other questions; None with a reason."""

    score: float | None
    """0 to 1: SAE-Bench's rule on the other half, for the one setting chosen; mean over halves."""
    retain_accuracy: float | None
    """0 to 1: share of the other half's retain questions that setting keeps right; same mean."""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Chance:
    """Comparison of the score with that of random latents; None with a reason."""

    mean: float | None
    """Mean score of random latents, 0 to 1."""
    highest: float | None
    """Highest score of random latents, 0 to 1."""
    adjusted: float | None
    """The score less that mean, -1 to 1."""
    p: float | None
    """(1 + draws that score as high) / (1 + draws): not below 1 / (1 + draws)."""
    reason: str | None = None


def unlearning_score(forget: Forget, retain: Retain) -> float:
    """Compute the share of the forget questions that the best admissible setting unlearns.

    0 (nothing, or nothing without harm) to 1. SAE-Bench (arXiv:2503.09532), after Farrell et al.
    2024, arXiv:2410.19278.

    Args:
        forget: whether an answer is right, [n_settings, n_questions], at least one of each.
        retain: the same of the questions to retain.
    """
    return float(_scores(forget.mean(1), retain.mean(1)))


def held_out_score(
    forget: Forget,
    retain: Retain,
    retain_subjects: Int[NDArray[np.int64], " n_retain"],
    *,
    n_splits: int,
    rng: np.random.Generator,
) -> HeldOut:
    """Score settings that are chosen on half of the questions and measured on the other.

    Both halves take both parts, in `n_splits` random splits of each subject's questions. Among the
    settings that are admissible on one half the best there is measured on the other, where it
    scores 0 if it is not admissible; where none is admissible the score is 0, and the retain
    accuracy that of doing nothing.

    Args:
        retain_subjects: number of each retain question's subject.
    """
    if min(forget.shape[1], retain.shape[1]) < 2:
        return HeldOut(score=None, retain_accuracy=None, reason=_TOO_FEW)
    scores: list[float] = []
    kept: list[float] = []
    for _ in range(n_splits):
        forget_half = _half(np.zeros(forget.shape[1], dtype=int), rng)
        retain_half = _half(retain_subjects, rng)
        for is_swapped in (False, True):
            score, accuracy = _chosen_and_measured(
                forget, retain, forget_half ^ is_swapped, retain_half ^ is_swapped
            )
            scores.append(score)
            kept.append(accuracy)
    return HeldOut(score=float(np.mean(scores)), retain_accuracy=float(np.mean(kept)))


def score_interval(
    forget: Forget, retain: Retain, *, n_resamples: int, rng: np.random.Generator
) -> PercentileInterval:
    """Bootstrap the score over questions, with the setting chosen again each time.

    Forget and retain questions are drawn apart from each other. Percentiles of scipy's bootstrap:
    the score jumps where a setting crosses 99%, so corrections that need smoothness do not hold,
    and a score that depends on such a setting has an interval down to 0.
    """
    if min(forget.shape[1], retain.shape[1]) < 2:
        return PercentileInterval(low=None, high=None, reason=_TOO_FEW)

    def score(
        forget_drawn: Int[NDArray[np.int64], "*draws n_forget"],
        retain_drawn: Int[NDArray[np.int64], "*draws n_retain"],
        axis: int = -1,
    ) -> NDArray[np.float64] | np.float64:
        return _scores(forget[:, forget_drawn].mean(axis), retain[:, retain_drawn].mean(axis))

    resampled = stats.bootstrap(
        (np.arange(forget.shape[1]), np.arange(retain.shape[1])),
        score,
        n_resamples=n_resamples,
        batch=100,  # settings x resamples x questions at once
        vectorized=True,
        confidence_level=LEVEL,
        method="percentile",
        rng=rng,
    ).confidence_interval
    return PercentileInterval(low=float(resampled.low), high=float(resampled.high))


def against_chance(
    score: float, controls: Sequence[tuple[Forget, Retain]], reason: str | None
) -> Chance:
    """Compare the score with sweeps of random latents.

    Args:
        controls: forget and retain answers of each draw.
        reason: why there are none.
    """
    if not controls:
        return Chance(mean=None, highest=None, adjusted=None, p=None, reason=reason)
    by_chance = np.array([unlearning_score(forget, retain) for forget, retain in controls])
    mean = float(by_chance.mean())
    return Chance(
        mean=mean,
        highest=float(by_chance.max()),
        adjusted=score - mean,
        p=float((1 + (by_chance >= score).sum()) / (1 + len(by_chance))),
    )


def _scores(
    forget_accuracy: Accuracy, retain_accuracy: Accuracy
) -> NDArray[np.float64] | np.float64:
    """Score each of any number of draws: [n_settings, *draws] to [*draws]."""
    is_admissible = retain_accuracy >= RETAIN_ACCURACY
    return (is_admissible * (1 - forget_accuracy)).max(0)


def _chosen_and_measured(
    forget: Forget,
    retain: Retain,
    forget_half: Bool[NDArray[np.bool_], " n_forget"],
    retain_half: Bool[NDArray[np.bool_], " n_retain"],
) -> tuple[float, float]:
    """Return score and retain accuracy outside the halves, of the setting that is best within."""
    effect = 1 - forget[:, forget_half].mean(1)
    kept = retain[:, retain_half].mean(1)
    is_admissible = kept >= RETAIN_ACCURACY
    if not is_admissible.any():
        return 0.0, 1.0
    # of equally good ones the one that does least harm
    chosen = np.lexsort((-kept, -effect, ~is_admissible))[0]
    measured = float(retain[chosen, ~retain_half].mean())
    score = float(1 - forget[chosen, ~forget_half].mean())
    return score if measured >= RETAIN_ACCURACY else 0.0, measured


def _half(
    groups: Int[NDArray[np.int64], " n"], rng: np.random.Generator
) -> Bool[NDArray[np.bool_], " n"]:
    """Draw a random half of each group; of an odd one, one question less or more, by chance.

    Neither half is empty where there are two questions.
    """
    order = np.lexsort((rng.random(len(groups)), groups))
    half = np.zeros(len(groups), dtype=bool)
    half[order[rng.integers(2) :: 2]] = True
    return half
