"""Explicitness: how well a linear probe reads a factor's values from all latents together."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray

from csae_bench.metrics.holdout import training_samples
from csae_bench.metrics.importances import varying_factors
from csae_bench.metrics.inputs import CodesLike, FactorsLike, LabelsLike, same_samples
from csae_bench.metrics.probes import (
    MAX_PASSES,
    PENALTY,
    Design,
    check_penalty,
    design,
    fit_probe,
    values_to_probe,
)
from csae_bench.metrics.score import Score, no_score, score_fields


def explicitness(
    codes: CodesLike,
    factors: FactorsLike,
    *,
    clusters: LabelsLike | None = None,
    train_share: float = 0.75,
    penalty: float = PENALTY,
    seed: int = 0,
) -> Score:
    """Held-out AUC of linear probes, averaged over a factor's values, then over factors.

    .5 (chance) to 1 (every value is linearly readable); below .5 only by bad luck. A probe is a
    logistic regression of one value against the rest, with an L1 penalty where Ridgeway and Mozer
    2018 (arXiv:1802.05312, section 3) have L2. A value that the training or the test samples lack
    is left out; undefined where that leaves none.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        clusters: [n] labels, such as of templates, that the split does not part; None: each sample
            by itself.
        train_share: of the samples, as nearly as whole clusters allow; the rest is scored.
        penalty: on the coefficients, in units of sqrt(n ln d); larger keeps fewer latents.
        seed: of the split, and of the order of coordinate descent.

    Raises:
        MetricInputError: malformed or mismatched input, or a setting out of range.

    Examples:
        >>> topic, tense = ["law", "music"] * 20, ["past", "past", "now", "now"] * 10
        >>> codes = np.array([[t == "law", n == "now"] for t, n in zip(topic, tense, strict=True)])
        >>> explicitness(codes, {"topic": topic, "tense": tense}).value
        1.0
    """
    codes, factors = same_samples(codes, factors)
    check_penalty(penalty)
    settings = {
        "probe": "l1_logistic_regression",
        "penalty": penalty,
        "max_passes": MAX_PASSES,
        "train_share": train_share,
        "by_cluster": clusters is not None,
        "seed": seed,
    }
    train = training_samples(codes.n, clusters, share=train_share, seed=seed)
    why = None
    if train.all():
        why = "there is one sample, and none to hold out"
    elif not codes.samples(train).varies.any():
        why = "no latent varies over the training samples"
    if why:
        return Score(**no_score(factors, why), settings=settings)
    scaled = design(codes, train)
    by_factor = [
        _mean_auc(scaled, values, train, penalty=penalty, seed=seed) for values in factors.values.T
    ]
    otherwise = "no value of this factor is both had and lacked in training and in test samples"
    why_by_factor = {factors.names[k]: otherwise for k in varying_factors(factors)}
    return Score(**score_fields(factors, np.array(by_factor), why_by_factor), settings=settings)


def _mean_auc(
    scaled: Design,
    values: Int[NDArray[Any], " n"],
    train: Bool[NDArray[Any], " n"],
    *,
    penalty: float,
    seed: int,
) -> float:
    """Over the values of a factor that training and test samples both have and lack; NaN: none."""
    from sklearn.metrics import roc_auc_score

    seen, unseen = scaled.matrix[train], scaled.matrix[~train]
    aucs: list[float] = []
    for value in values_to_probe(values):
        has_value = values == value
        if any(np.ptp(has_value[part].astype(int)) == 0 for part in (train, ~train)):
            continue
        probe = fit_probe(seen, has_value[train], penalty=penalty, seed=seed)
        aucs.append(float(roc_auc_score(has_value[~train], probe.decision_function(unseen))))
    return float(np.mean(aucs)) if aucs else float("nan")
