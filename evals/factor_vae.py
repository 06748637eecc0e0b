"""The FactorVAE score on sparse codes: can each factor be identified by one latent?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from csae_bench.engines.factors.fields import FactorDetail
from csae_bench.engines.factors.settings import QUICK, Count, FactorEvalConfig
from csae_bench.evals import Direction, EvalContext, EvalResult, Metric, register_eval

if TYPE_CHECKING:
    from csae_bench.engines.factors.heat_map import HeatMap
    from csae_bench.engines.factors.reporting import Measured
    from csae_bench.engines.factors.samples import Samples
    from csae_bench.factors import Pooling
    from csae_bench.metrics import Codes, Factors
    from csae_bench.metrics.factor_vae import FactorVaePopulationScore, FactorVaeScore

METRICS = {
    "factor_vae": Metric(
        title="FactorVAE",
        description="Accuracy of a majority vote that names the fixed factor from the latent that "
        "varies least in a batch, among latents that fire often enough; Kim and Mnih 2018, "
        "arXiv:1802.05983. Chance is about one over the number of factors.",
        direction=Direction.HIGHER,
        gist="votes of the least varying latent",
        sd_between_seeds=0.036,
        has_null=True,
        has_poolings=True,
        is_by_factor=True,
    ),
    "factor_vae_population": Metric(
        title="FactorVAE, population",
        description="Share of the factors that elect a latent of their own: the vote's limit for "
        "infinite batches, for all latents. A factor that another one divides, as topics divide "
        "domains, can never keep its vote.",
        direction=Direction.HIGHER,
        gist="factors with a latent of their own",
        short="population",
        sd_between_seeds=0.12,
        has_null=True,
        has_interval=True,
        has_poolings=True,
        is_by_factor=True,
    ),
    "mean_margin": Metric(
        title="Mean margin",
        description="Mean over factors of the elected latent's eta squared minus the runner-up's; "
        "0 where latents are duplicated.",
        direction=Direction.HIGHER,
        gates=False,
        has_poolings=True,
        is_by_factor=True,
    ),
}


class FactorVaeConfig(FactorEvalConfig):
    """Settings of the FactorVAE eval."""

    delta: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """The classic score is on latents silent throughout a batch with at most this probability."""

    batch_size: Annotated[int, Field(ge=2)] = 64
    """Samples in a batch that share the fixed factor's value."""

    n_train: Count = 10_000
    """Votes from which the majority factor of each latent is determined."""

    n_eval: Count = 5_000
    """Votes on which the accuracy is computed."""

    n_vote_permutations: Count = 20
    """Number of permutations for the null of the classic score, with all votes for each."""


class FactorVaeFactorDetail(FactorDetail):
    """Results for one factor."""

    latent: int | None
    """The latent that it elects in the population form: the one with the largest eta squared."""
    eta_squared: float | None
    """Share of that latent's variance that the factor explains."""
    runner_up: float | None
    """The second largest eta squared with this factor."""
    null_quantile_95: float | None
    """Quantile of the largest eta squared where the samples' factors are permuted."""
    is_accepted: bool | None
    why_not: str | None
    """Why the vote does not count."""


_OF_VOTE = [
    name for name in FactorVaeFactorDetail.model_fields if name not in FactorDetail.model_fields
]


@register_eval(
    "factor_vae",
    config=FactorVaeConfig,
    metrics=METRICS,
    headline=("factor_vae", "factor_vae_population"),
    detail=FactorVaeFactorDetail,
    presets={"quick": QUICK},
)
def factor_vae(ctx: EvalContext, cfg: FactorVaeConfig) -> EvalResult:
    """FactorVAE's votes: classic on latents that fire often, and for the whole population.

    What it measures: whether the latent that varies least among samples with one factor fixed names
    that factor (Kim and Mnih 2018, arXiv:1802.05983), by the votes of batches and, as the limit of
    infinite batches, by the share of factors that elect a latent of their own.

    Data: a factor dataset, as for mig.

    Cost: the pass is shared with mig; the votes take seconds.

    When not to trust it: latents that rarely fire vary least of all. The classic vote leaves those
    out that are silent in a batch with at most probability `delta`, and so the score depends on it.
    A factor that another one divides, as topics divide domains, can never keep its vote.
    """
    from csae_bench.engines.factors.heat_map import write_heat_map
    from csae_bench.engines.factors.reporting import FactorReport
    from csae_bench.engines.factors.samples import samples_of

    samples = samples_of(ctx, cfg)
    scores = score(samples, cfg)
    report = FactorReport(metrics=METRICS, measured=scores.measured, samples=samples)
    permuted = {"n_permutations": cfg.n_permutations, "seed": cfg.seed}
    return EvalResult(
        metrics=report.categories(),
        details=report.details(lambda factor: _of_factor(scores.population, samples, factor)),
        unstructured=report.unstructured(
            null={"factor_vae": cfg.n_vote_permutations, "factor_vae_population": permuted},
            n_latents_judged=scores.classic.n_latents,
            train_accuracy=scores.classic.train_accuracy,
            artifacts=write_heat_map(
                _heat_map(ctx.sae_id, samples, scores.population), samples, ctx.artifacts
            ),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class FactorVaeMeasured:
    """The scores with their accompanying values."""

    measured: dict[str, Measured]
    classic: FactorVaeScore
    population: FactorVaePopulationScore


def score(samples: Samples, cfg: FactorVaeConfig) -> FactorVaeMeasured:
    """Return both forms of the score of codes, with nulls and the population's interval."""
    from csae_bench import metrics
    from csae_bench.engines.factors.reporting import Measured

    codes, factors = samples.codes, samples.factors
    permuted: dict[str, Any] = {"n_permutations": cfg.n_permutations, "seed": cfg.seed}
    classic = _classic(codes, factors, cfg)
    population = metrics.factor_vae_population(codes, factors, **permuted)
    pooled: dict[Pooling, FactorVaePopulationScore] = {
        pooling: metrics.factor_vae_population(each, factors, **permuted)
        for pooling, each in samples.over_tokens()
    }
    null = metrics.factor_vae_null(
        codes, factors, classic, n_permutations=cfg.n_vote_permutations, seed=cfg.seed
    )
    interval = metrics.factor_vae_population_interval(
        codes, factors, samples.templates, population, n_resamples=cfg.n_resamples, seed=cfg.seed
    )
    return FactorVaeMeasured(
        measured={
            "factor_vae": Measured(
                score=classic,
                null=null,
                poolings={
                    pooling: _classic(each, factors, cfg) for pooling, each in samples.over_tokens()
                },
            ),
            "factor_vae_population": Measured(
                score=population,
                null=metrics.factor_vae_population_null(codes, factors, population, **permuted),
                interval=interval,
                poolings=pooled,
            ),
            "mean_margin": Measured(
                score=metrics.mean_margin(population),
                poolings={pooling: metrics.mean_margin(each) for pooling, each in pooled.items()},
            ),
        },
        classic=classic,
        population=population,
    )


def _classic(codes: Codes, factors: Factors, cfg: FactorVaeConfig) -> FactorVaeScore:
    from csae_bench import metrics

    return metrics.factor_vae(
        codes,
        factors,
        delta=cfg.delta,
        batch_size=cfg.batch_size,
        n_train=cfg.n_train,
        n_eval=cfg.n_eval,
        seed=cfg.seed,
    )


def _of_factor(
    population: FactorVaePopulationScore, samples: Samples, factor: str
) -> dict[str, Any]:
    vote, divided = population.votes[factor], samples.divided_factors()
    detail: dict[str, Any] = {name: getattr(vote, name, None) for name in _OF_VOTE}
    if factor in divided and vote is not None:
        detail["why_not"] = (
            f"factor '{divided[factor]}' divides its values, so no latent can have twice the "
            f"eta^2 for '{factor}': this vote can never stand"
        )
    return detail


def _heat_map(sae_id: str, samples: Samples, population: FactorVaePopulationScore) -> HeatMap:
    import numpy as np

    from csae_bench.engines.factors.heat_map import HeatMap, shown_latents
    from csae_bench.metrics.eta_squared import eta_squared

    latents = shown_latents(vote.latent for vote in population.votes.values() if vote)
    shares = np.asarray(eta_squared(samples.codes, samples.factors))
    return HeatMap(
        title=f"FactorVAE votes of {sae_id}",
        caption="eta squared: the share of a latent's variance that a factor explains. Latents "
        "are those that a factor elects.",
        rows=tuple((factor, "") for factor in samples.factors.names),
        latents=latents,
        cells=shares[list(latents)].T,
    )
