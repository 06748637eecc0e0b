"""The FactorVAE score: classic, by votes on batches, and its form for the whole population.

The classic metric fixes a factor in a batch and asks which latent varies least. A latent that is
silent throughout a batch of 64 varies not at all and wins, so it is taken on latents that fire
often enough; the population form needs no such filter. Both are blind to duplicated latents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from csae_bench.metrics.data import Codes, Factors, MetricInputError
from csae_bench.metrics.eta_squared import Standardised, explained, null_of_largest, standardised
from csae_bench.metrics.inputs import CodesLike, FactorsLike, same_samples
from csae_bench.metrics.nulls import N_PERMUTATIONS
from csae_bench.metrics.score import Score, no_score, score_fields, why_no_latent_varies
from csae_bench.metrics.voting import votes

LEAD = 2.0
"""A vote needs this many times its latent's eta^2 for every other factor."""


@dataclass(frozen=True, kw_only=True)
class FactorVaeScore(Score):
    """Score of `factor_vae`, with the latents that it judged."""

    n_latents: int
    """Latents that fire often enough to be judged."""
    train_accuracy: float | None
    """Accuracy on the training votes, 0 to 1: above `value` where latents overfit."""


@dataclass(frozen=True, kw_only=True)
class Vote:
    """A factor's vote: the latent with the largest eta^2, and whether the vote is valid."""

    latent: int
    eta_squared: float
    null_quantile_95: float
    """95% quantile of the largest eta^2 of all latents with the samples' factors permuted."""
    runner_up: float
    """The second largest eta^2 with this factor; 0 where there is one latent."""
    is_accepted: bool
    why_not: str | None
    """The first rule that the vote breaks."""


@dataclass(frozen=True, kw_only=True)
class FactorVaePopulationScore(Score):
    """`factor_vae_population` with its votes."""

    mean_margin: float | None
    """Mean over factors of the winner's eta^2 minus the runner-up's, 0 to 1; 0 for duplicates."""
    votes: dict[str, Vote | None]


def factor_vae(
    codes: CodesLike,
    factors: FactorsLike,
    *,
    delta: float | None = 0.05,
    batch_size: int = 64,
    n_train: int = 10_000,
    n_eval: int = 5_000,
    seed: int = 0,
) -> FactorVaeScore:
    """Accuracy of a majority vote that names the fixed factor from the least varying latent.

    From chance (one over the number of factors, about) to 1. In a batch of samples that share one
    factor's value, the latent with the smallest variance over its variance in all samples votes
    for that factor; ties are broken at random. Kim & Mnih 2018, arXiv:1802.05983, section 4;
    disentanglement_lib's algorithm, but for two things: batches are drawn with replacement from
    the samples at hand, and its pruning is fixed, which keeps a dead latent (`std >= 0`), whose
    0/0 then wins every vote. Only latents that vary and whose firing rate is at least
    1 - delta^(1 / batch_size) are judged: those silent throughout a batch with probability at
    most delta. `factor_vae_population` has no such filter.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        delta: None judges every latent that varies, which on sparse codes gives about chance.
        n_train: votes from which the majority of each latent is taken.
        n_eval: votes on which its accuracy is.

    Raises:
        MetricInputError: malformed or mismatched input or settings.

    Examples:
        >>> topic, tense = ["law", "music"] * 20, ["past", "past", "now", "now"] * 10
        >>> codes = np.array([[t == "law", n == "now"] for t, n in zip(topic, tense, strict=True)])
        >>> factor_vae(codes, {"topic": topic, "tense": tense}).value
        1.0
    """
    codes, factors = same_samples(codes, factors)
    _check_settings(delta, batch_size, n_train, n_eval)
    lowest = 0.0 if delta is None else 1 - delta ** (1 / batch_size)
    settings = {"delta": delta, "min_firing_rate": lowest, "batch_size": batch_size}
    settings |= {"n_train": n_train, "n_eval": n_eval, "seed": seed}
    judged = np.flatnonzero(codes.varies & (codes.firing_rates >= lowest))
    several = np.flatnonzero(_observed_values(factors) > 1)
    if why := _why_no_vote(codes, judged, several, lowest):
        return FactorVaeScore(
            **no_score(factors, why), settings=settings, n_latents=0, train_accuracy=None
        )
    rng = np.random.default_rng(seed)
    units = standardised(codes.latents(judged))
    train = votes(units, factors, several, n_train, batch_size, rng)
    evaluation = votes(units, factors, several, n_eval, batch_size, rng)
    right, by_factor = _right_votes(train.argmax(0), evaluation)
    no_vote = {factors.names[k]: "no vote was drawn for it" for k in several}
    return FactorVaeScore(
        **score_fields(factors, by_factor, no_vote, value=right),
        settings=settings,
        n_latents=len(judged),
        train_accuracy=float(train.max(0).sum() / train.sum()),
    )


def _why_no_vote(
    codes: Codes, judged: NDArray[np.int64], several: NDArray[np.int64], lowest: float
) -> str | None:
    if not len(several):
        return "no factor has more than one value"
    if not len(judged):
        return why_no_latent_varies(codes) or (
            f"no latent that varies fires on at least {lowest:.2%} of the samples"
        )
    return None


def _right_votes(
    majority: NDArray[np.int64], evaluation: Int[NDArray[Any], "n_factors n_judged"]
) -> tuple[float, Float[NDArray[Any], " n_factors"]]:
    """Share of the votes that the latents' majorities name right, of all and of each factor."""
    n_factors = len(evaluation)
    right = evaluation[majority, np.arange(len(majority))]
    of_factor = evaluation.sum(1)
    sums = np.bincount(majority, right, minlength=n_factors)
    by_factor = np.where(of_factor > 0, sums / np.maximum(of_factor, 1), np.nan)
    return float(right.sum() / evaluation.sum()), by_factor


def factor_vae_population(
    codes: CodesLike, factors: FactorsLike, *, n_permutations: int = N_PERMUTATIONS, seed: int = 0
) -> FactorVaePopulationScore:
    """Share of the factors that elect a latent of their own: FactorVAE of infinite batches.

    0 to 1. A factor elects the latent with the largest eta^2 = 1 - E_v Var(z | f = v) / Var(z),
    the limit of the classic vote on a factorial grid. Its vote is accepted if (1) that eta^2
    exceeds the 95% quantile of the permutation null of the largest of all latents, (2) no other
    factor elects the same latent with a larger one, and (3) it is at least twice this latent's
    eta^2 for every other factor. Without these, random and rotated codes score near 1. After Kim &
    Mnih 2018, arXiv:1802.05983.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.

    Raises:
        MetricInputError: malformed or mismatched input, or no permutation.

    Examples:
        >>> topic, tense = ["law", "music"] * 20, ["past", "past", "now", "now"] * 10
        >>> codes = np.array([[t == "law", n == "now"] for t, n in zip(topic, tense, strict=True)])
        >>> factor_vae_population(codes, {"topic": topic, "tense": tense}).value
        1.0
    """
    codes, factors = same_samples(codes, factors)
    settings = {"n_permutations": n_permutations, "seed": seed, "quantile": 0.95, "lead": LEAD}
    units = standardised(codes)
    null = null_of_largest(units, factors, n_permutations, seed)
    why = why_no_latent_varies(codes)
    if why:
        nothing = dict.fromkeys(factors.names)
        return FactorVaePopulationScore(
            **no_score(factors, why), settings=settings, mean_margin=None, votes=nothing
        )
    return _elected(units, factors, np.quantile(null, 0.95, axis=0), settings)


def mean_margin(population: FactorVaePopulationScore) -> Score:
    """Lead of the elected latents: eta^2 minus the runner-up's, averaged over factors.

    0 (duplicated latents) to 1. Defined where `factor_vae_population` is.
    """
    return Score(
        value=population.mean_margin,
        reason=population.reason,
        by_factor={
            name: None if vote is None else vote.eta_squared - vote.runner_up
            for name, vote in population.votes.items()
        },
        reason_by_factor=population.reason_by_factor,
        settings=population.settings,
    )


def _elected(
    units: Standardised,
    factors: Factors,
    quantiles: NDArray[np.float64],
    settings: dict[str, Any],
) -> FactorVaePopulationScore:
    elected = election(explained(units, factors.one_hot(np.float64), factors), quantiles)
    several = _observed_values(factors) > 1
    cast: dict[str, Vote | None] = {}
    for k, name in enumerate(factors.names):
        cast[name] = _vote(elected, k, factors.names, quantiles) if several[k] else None
    accepted = np.where(several, elected.is_accepted.astype(np.float64), np.nan)
    margins = (elected.eta_squared - elected.runner_up)[several]
    return FactorVaePopulationScore(
        **score_fields(factors, accepted),
        settings=settings,
        mean_margin=float(margins.mean()) if len(margins) else None,
        votes=cast,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Election:
    """Winner of each factor, and the rules of the three that its vote satisfies."""

    winners: NDArray[np.int64]
    eta_squared: Float[NDArray[Any], " n_factors"]
    runner_up: Float[NDArray[Any], " n_factors"]
    is_above_null: NDArray[np.bool_]
    is_unrivalled: NDArray[np.bool_]
    leads: NDArray[np.bool_]

    @property
    def is_accepted(self) -> NDArray[np.bool_]:
        return self.is_above_null & self.is_unrivalled & self.leads


def election(shares: NDArray[np.float64], quantiles: NDArray[np.float64]) -> Election:
    """Elect the latents of `factor_vae_population`.

    Args:
        shares: eta^2 [d_sae, n_factors].
        quantiles: of the null of the largest eta^2 [n_factors].
    """
    n_factors = shares.shape[1]
    winners = shares.argmax(0)
    largest = shares[winners, np.arange(n_factors)]
    rest = shares.copy()
    rest[winners, np.arange(n_factors)] = 0
    others = shares[winners]
    others[np.arange(n_factors), np.arange(n_factors)] = 0
    same_winner = winners[:, None] == winners
    return Election(
        winners=winners,
        eta_squared=largest,
        runner_up=rest.max(0),
        is_above_null=largest > quantiles,
        is_unrivalled=~(same_winner & (largest > largest[:, None])).any(1),
        leads=largest >= LEAD * others.max(1),
    )


def _vote(
    elected: Election, factor: int, names: tuple[str, ...], quantiles: NDArray[np.float64]
) -> Vote:
    why = None
    if not elected.is_above_null[factor]:
        why = "its eta^2 is within the null of the largest"
    elif not elected.is_unrivalled[factor]:
        rivals = elected.eta_squared * (elected.winners == elected.winners[factor])
        why = f"factor '{names[int(rivals.argmax())]}' elects the same latent with a larger eta^2"
    elif not elected.leads[factor]:
        why = f"its eta^2 is below {LEAD:g} times this latent's for another factor"
    return Vote(
        latent=int(elected.winners[factor]),
        eta_squared=float(elected.eta_squared[factor]),
        null_quantile_95=float(quantiles[factor]),
        runner_up=float(elected.runner_up[factor]),
        is_accepted=bool(elected.is_accepted[factor]),
        why_not=why,
    )


def _observed_values(factors: Factors) -> NDArray[np.int64]:
    return np.add.reduceat((factors.value_counts > 0).astype(np.int64), factors.value_ptr[:-1])


def _check_settings(delta: float | None, batch_size: int, n_train: int, n_eval: int) -> None:
    if delta is not None and not 0 < delta < 1:
        raise MetricInputError(f"delta is {delta}; it must be between 0 and 1, or None.")
    for name, value, least in (
        ("batch_size", batch_size, 2),
        ("n_train", n_train, 1),
        ("n_eval", n_eval, 1),
    ):
        if value < least:
            raise MetricInputError(f"{name} is {value}; it must be at least {least}.")
