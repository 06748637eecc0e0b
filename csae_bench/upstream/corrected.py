"""Core's quantities by their correct formulas, from sums over the tokens used.

`reconstruction_values` and `activation_values` make numbers of what `sums` has added up. An
undefined value is None, with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from csae_bench.upstream.sums import ActivationSums, LogitSums

NO_TOKENS = "no token was used"


class CorrectedValues(NamedTuple):
    """Numbers by name, and why a number is missing."""

    values: dict[str, float | int | None]
    reasons: dict[str, str]


def reconstruction_values(sums: LogitSums) -> CorrectedValues:
    """Return KL divergence and cross-entropy, in nats per token, and their normalised scores.

    A score is 1 where the SAE changes nothing and 0 where it is as bad as ablation; it is
    undefined where ablation changes nothing.
    """
    results = _Results()
    results.token_counts("reconstruction", sums.n_tokens)
    kl_sae = results.mean("kl_div_with_sae", sums.kl_with_sae, sums.n_tokens)
    kl_ablation = results.mean("kl_div_with_ablation", sums.kl_with_ablation, sums.n_tokens)
    ce_clean = results.mean("ce_loss_without_sae", sums.ce_without_sae, sums.n_predictions)
    ce_sae = results.mean("ce_loss_with_sae", sums.ce_with_sae, sums.n_predictions)
    ce_ablation = results.mean("ce_loss_with_ablation", sums.ce_with_ablation, sums.n_predictions)
    no_effect = "ablating the activation changes nothing, so there is no scale to score on"
    results.ratio("kl_div_score", kl_ablation - kl_sae, kl_ablation, no_effect)
    results.ratio("ce_loss_score", ce_ablation - ce_sae, ce_ablation - ce_clean, no_effect)
    return results.freeze()


def activation_values(sums: ActivationSums) -> CorrectedValues:
    """Return the reconstruction quality, shrinkage and sparsity.

    `explained_variance` is 1 - E|x - y|^2 / E|x - mean|^2 with one mean over all tokens,
    `relative_reconstruction_bias` is E|y|^2 / E[x . y] (Rajamanoharan et al. 2024,
    arXiv:2404.16014, eq. 10). `cossim` is undefined as soon as one token's reconstruction is 0;
    `cossim_where_defined` is the mean over the others.
    """
    n = sums.n_tokens
    n_defined = n - sums.n_cossim_undefined
    results = _Results()
    results.token_counts("sparsity_variance", n)
    results.ratio(
        "explained_variance",
        sums.deviation - sums.residual,
        sums.deviation,
        "the activations do not vary" if n else NO_TOKENS,
    )
    results.mean("mse", sums.residual, n)
    results.mean("l2_norm_in", sums.norm_in, n)
    results.mean("l2_norm_out", sums.norm_out, n)
    all_zero = "every activation is 0" if n else NO_TOKENS
    results.ratio("l2_ratio", sums.norm_ratio, n - sums.n_zero_in, all_zero)
    results.ratio(
        "relative_reconstruction_bias",
        sums.squared_norm_out,
        sums.dot,
        "the reconstructions do not correlate with the activations (E[x . y] = 0)"
        if n
        else NO_TOKENS,
    )
    undefined = f"undefined for {sums.n_cossim_undefined} of {n} tokens, where a vector is 0"
    where_defined = undefined if n else NO_TOKENS
    if sums.n_cossim_undefined:
        results.missing("cossim", undefined)
    else:
        results.ratio("cossim", sums.cossim, n, NO_TOKENS)
    results.ratio("cossim_where_defined", sums.cossim, n_defined, where_defined)
    results.count("n_tokens_cossim_undefined", sums.n_cossim_undefined)
    results.mean("l0", sums.l0, n)
    results.mean("l1", sums.l1, n)
    return results.freeze()


def alive_values(sums: ActivationSums) -> CorrectedValues:
    """Return the shares of latents, 0 to 1, whose code is not 0 at any token used, and at none."""
    if sums.n_tokens == 0:
        return missing(("frac_alive", "dead_fraction"), NO_TOKENS)
    alive = int(sums.fired.sum()) / len(sums.fired)
    return CorrectedValues({"frac_alive": alive, "dead_fraction": 1 - alive}, {})


def missing(names: Sequence[str], reason: str) -> CorrectedValues:
    """Return these values as undefined."""
    return CorrectedValues(dict.fromkeys(names), dict.fromkeys(names, reason))


class _Results:
    """Collects values that may be undefined."""

    def __init__(self) -> None:
        self._values: dict[str, float | int | None] = {}
        self._reasons: dict[str, str] = {}

    def count(self, name: str, value: int) -> None:
        self._values[name] = value

    def token_counts(self, phase: str, value: int) -> None:
        # Under SAE-Bench's name, since it corrects it, and under one that says what it is.
        self.count(f"total_tokens_eval_{phase}", value)
        self.count(f"n_tokens_{phase}", value)

    def missing(self, name: str, reason: str) -> None:
        self._values[name] = None
        self._reasons[name] = reason

    def mean(self, name: str, total: float | int, n: int) -> float:
        self.ratio(name, total, n, NO_TOKENS)
        return total / n if n else math.nan

    def ratio(
        self, name: str, numerator: float | int, denominator: float | int, if_zero: str
    ) -> None:
        if denominator == 0:
            self.missing(name, if_zero)
            return
        value = numerator / denominator
        if math.isfinite(value):
            self._values[name] = value
        else:
            self.missing(name, f"not a finite number ({value})")

    def freeze(self) -> CorrectedValues:
        return CorrectedValues(self._values, self._reasons)
