"""SAP: how much better the best latent predicts a factor than the second best."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from csae_bench.metrics.data import Factors
from csae_bench.metrics.discretise import MAX_VALUES, MIN_REPEATS
from csae_bench.metrics.holdout import training_samples
from csae_bench.metrics.importances import (
    BestLatentScore,
    SparseCounter,
    sparse_counter,
    varying_factors,
)
from csae_bench.metrics.inputs import CodesLike, FactorsLike, LabelsLike, same_samples
from csae_bench.metrics.score import no_score, score_fields


def sap(
    codes: CodesLike,
    factors: FactorsLike,
    *,
    clusters: LabelsLike | None = None,
    n_quantiles: int = 4,
    train_share: float = 0.75,
    seed: int = 0,
) -> BestLatentScore:
    """Gap in held-out accuracy between the two best latents, averaged over factors.

    0 (another latent does as well) to 1 - 1 / n_values (one latent alone is informative). A latent
    predicts the value that is likeliest in its bin, all values being alike before; its accuracy is
    the mean over values, so an uninformative latent has 1 / n_values, and none counts as less.
    Kumar et al. 2018, arXiv:1711.00848, section 3, whose support vector machine on one latent,
    balanced in its weights, is this with a threshold for bins. Blind to a factor that several
    latents share, one a value: two of them do alike. A value that the training or the test samples
    lack is left out; undefined where fewer than two are left.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        clusters: [n] labels, such as of templates, that the split does not part.
        n_quantiles: bins of a latent's non-zeros; see `sparse_bins`.
        train_share: of the samples, as nearly as whole clusters allow; the rest is scored.
        seed: of the split.

    Raises:
        MetricInputError: malformed or mismatched input, or a setting out of range.

    Examples:
        >>> topic, tense = ["law", "music"] * 20, ["past", "past", "now", "now"] * 10
        >>> codes = np.array([[t == "law", n == "now"] for t, n in zip(topic, tense, strict=True)])
        >>> sap(codes, {"topic": topic, "tense": tense}).value
        0.5
    """
    codes, factors = same_samples(codes, factors)
    settings = {
        "binning": "sparse",
        "n_quantiles": n_quantiles,
        "max_values": MAX_VALUES,
        "min_repeats": MIN_REPEATS,
        "train_share": train_share,
        "by_cluster": clusters is not None,
        "seed": seed,
    }
    train = training_samples(codes.n, clusters, share=train_share, seed=seed)
    return sap_of(sparse_counter(codes, n_quantiles), factors, train, settings)


def sap_of(
    counted: SparseCounter,
    factors: Factors,
    train: Bool[NDArray[Any], " n"],
    settings: dict[str, Any],
) -> BestLatentScore:
    """SAP of bins made before, with predictions from these samples, scored on the others."""
    best: dict[str, int | None] = dict.fromkeys(factors.names)
    why = None if len(counted.latents) else "no latent varies over the samples"
    if train.all():
        why = "there is one sample, and none to hold out"
    if why or counted.counter is None:
        return BestLatentScore(**no_score(factors, why or ""), settings=settings, best_latents=best)
    one_hot = factors.one_hot()
    seen = counted.counter.count(one_hot * train[:, None].astype(np.int32))
    unseen = counted.counter.count(one_hot) - seen
    gaps = np.full(factors.n_factors, np.nan)
    for k, name in enumerate(factors.names):
        columns = slice(factors.value_ptr[k], factors.value_ptr[k + 1])
        by_latent = accuracies(seen[:, columns], unseen[:, columns], counted.counter.row_ptr)
        if by_latent is not None:
            gaps[k] = _gap(by_latent)
            best[name] = int(counted.latents[by_latent.accuracies.argmax()])
    otherwise = "fewer than two of this factor's values are in both training and test samples"
    why_by_factor = {factors.names[k]: otherwise for k in varying_factors(factors)}
    return BestLatentScore(
        **score_fields(factors, gaps, why_by_factor), settings=settings, best_latents=best
    )


class Accuracies(NamedTuple):
    """Accuracy of each latent's predictions of one factor on held-out samples."""

    accuracies: Float[NDArray[Any], " n_latents"]
    """Mean over values of the share of their samples that are predicted right, 0 to 1."""
    chance: float
    """Accuracy of an uninformative latent: one over the number of values."""


def accuracies(
    seen: Int[NDArray[Any], "n_rows n_values"],
    unseen: Int[NDArray[Any], "n_rows n_values"],
    row_ptr: Int[NDArray[Any], " n_latents_plus_1"],
) -> Accuracies | None:
    """Compute accuracies from the counts of training and of test samples, rows as in `Contingency`.

    Only values that both have count; None where there are fewer than two.
    """
    kept = (seen.sum(0) > 0) & (unseen.sum(0) > 0)
    n_values = int(kept.sum())
    if n_values < 2:
        return None
    seen, unseen = seen[:, kept], unseen[:, kept]
    # every sample is in one row of each latent, so the first latent's rows hold the totals
    first = slice(row_ptr[0], row_ptr[1])
    likeliest = (seen / seen[first].sum(0)).argmax(1)
    told_right = np.take_along_axis(unseen, likeliest[:, None], 1)[:, 0]
    shares = told_right / unseen[first].sum(0)[likeliest]
    return Accuracies(np.add.reduceat(shares, row_ptr[:-1]) / n_values, 1 / n_values)


def _gap(by_latent: Accuracies) -> float:
    """Return the gap between the two best; none counts as worse than an uninformative one."""
    ordered = np.sort(np.maximum(by_latent.accuracies, by_latent.chance))
    return float(ordered[-1] - (ordered[-2] if len(ordered) > 1 else by_latent.chance))
