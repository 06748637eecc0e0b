"""Latents against factors, against each other and, where they are known, against true features."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from csae_bench.engines.factors.fields import FactorDetail
from csae_bench.engines.factors.settings import QUICK, Count, FactorEvalConfig
from csae_bench.evals import Direction, EvalContext, EvalResult, Metric, register_eval

_WITH_NULL: dict[str, Any] = {"has_null": True, "has_poolings": True, "is_by_factor": True}

METRICS = {
    "best_correlation": Metric(
        title="Best correlation",
        description="Correlation ratio (eta) of the latent that goes best with a factor, the mean "
        "over factors; of a factor with two values it is |r|.",
        direction=Direction.HIGHER,
        gist="of the latent that goes best with a factor",
        short="best correlation",
        sd_between_seeds=0.017,
        has_interval=True,
        **_WITH_NULL,
        has_held_out=True,
    ),
    "dci_disentanglement": Metric(
        title="DCI disentanglement",
        description="Does a latent inform about one factor alone? From mutual information; "
        "Eastwood and Williams 2018.",
        direction=Direction.HIGHER,
        gist="one factor a latent",
        sd_between_seeds=0.0099,
        **_WITH_NULL,
    ),
    "dci_completeness": Metric(
        title="DCI completeness",
        description="Is a factor captured by one latent alone? From mutual information; Eastwood "
        "and Williams 2018.",
        direction=Direction.HIGHER,
        gist="one latent a factor",
        sd_between_seeds=0.004,
        **_WITH_NULL,
    ),
    "modularity": Metric(
        title="Modularity",
        description="Is each latent informative about one factor at most? Ridgeway and Mozer 2018, "
        "arXiv:1802.05312.",
        direction=Direction.HIGHER,
        gist="one factor a latent, at most",
        sd_between_seeds=0.0037,
        **_WITH_NULL,
    ),
    "sap": Metric(
        title="SAP",
        description="Lead of the latent that predicts a factor best over the next, in held-out "
        "accuracy; after Kumar et al. 2018, arXiv:1711.00848.",
        direction=Direction.HIGHER,
        gist="best latent's lead in accuracy",
        gates=False,
        note="About 0 on an oracle SAE, whose latents share a factor's values: read value MIG.",
        **_WITH_NULL,
    ),
    "explicitness": Metric(
        title="Explicitness",
        description="Held-out AUC of linear probes on all latents together; Ridgeway and Mozer "
        "2018, arXiv:1802.05312.",
        direction=Direction.HIGHER,
        gist="held-out AUC of linear probes",
        is_by_factor=True,
    ),
    "near_duplicates": Metric(
        title="Near-duplicates",
        description="Share of the judged latents that another one nearly repeats.",
        direction=Direction.LOWER,
        gist="latents that another one nearly repeats",
        short="near-duplicates",
        sd_between_seeds=0.014,
    ),
    "effective_rank": Metric(
        title="Effective rank",
        description="Dimensions that the codes really have: exp of the entropy of their singular "
        "values; Roy and Vetterli 2007.",
        direction=Direction.NONE,
        gist="dimensions that the codes really have",
        short="effective rank",
        unit="dimensions",
        high=None,
    ),
    "mean_correlation_coefficient": Metric(
        title="Mean correlation coefficient",
        description="Mean |r| of true features with one latent each, matched best; Hyvarinen and "
        "Morioka 2016, arXiv:1605.06336. Only where true features are known.",
        direction=Direction.HIGHER,
    ),
}


class FeatureCorrelationConfig(FactorEvalConfig):
    """Settings of the feature correlation eval."""

    n_quantiles: Count = 4
    """Quantile bins of a latent's non-zeros, for mutual information and Cramer's V."""

    n_importance_permutations: Count = 20
    """Permutations for the nulls of DCI, modularity and SAP, which vary little between them."""

    duplicate_threshold: Annotated[float, Field(gt=0, le=1)] = 0.95
    """|r| from which two latents are near-duplicates."""

    min_firings: Count = 8
    """Latents that fire on fewer samples are not judged for duplicates."""

    n_best_latents: Annotated[int, Field(ge=1, le=32)] = 4
    """Latents of each factor in the details and in the heat map."""


class CorrelationFactorDetail(FactorDetail):
    """Results for one factor."""

    latents: list[int]
    """The latents with the largest correlation ratio, the largest first."""
    eta: list[float]
    """Their correlation ratios, 0 to 1."""
    cramers_v: list[float]
    """Cramer's V of their bins with the factor, 0 to 1; not corrected for chance."""
    pearson: list[float] | None
    """Their Pearson correlations with the second value; null for a factor of more than two."""


@register_eval(
    "feature_correlation",
    config=FeatureCorrelationConfig,
    metrics=METRICS,
    headline=("best_correlation", "dci_disentanglement", "near_duplicates", "effective_rank"),
    detail=CorrelationFactorDetail,
    presets={"quick": QUICK},
)
def feature_correlation(ctx: EvalContext, cfg: FeatureCorrelationConfig) -> EvalResult:
    """Correlation of latents with factors, DCI, SAP, probes, redundancy and true features.

    What it measures: how closely single latents go with factors (correlation ratio), how exclusive
    that is both ways (DCI, modularity, SAP), and how many latents repeat each other.

    Data: a factor dataset, as for mig.

    Cost: the pass is shared with mig; probes and permutations take up to a minute.

    When not to trust it: SAP is about 0 on an oracle whose latents share a factor's values. The
    best correlation of an untrained SAE is far from 0, as one of many random directions fits each
    factor: read it against `null_mean` and against `random`.
    """
    from csae_bench.engines.factors.feature_correlation import measure
    from csae_bench.engines.factors.heat_map import (
        HeatMap,
        shown_latents,
        value_rows,
        write_heat_map,
    )
    from csae_bench.engines.factors.reporting import FactorReport
    from csae_bench.engines.factors.samples import samples_of

    samples = samples_of(ctx, cfg)
    association = measure(
        samples,
        n_permutations=cfg.n_permutations,
        n_importance_permutations=cfg.n_importance_permutations,
        n_resamples=cfg.n_resamples,
        n_quantiles=cfg.n_quantiles,
        duplicate_threshold=cfg.duplicate_threshold,
        min_firings=cfg.min_firings,
        seed=cfg.seed,
    )
    strongest = {
        factor: association.strongest(factor, cfg.n_best_latents)
        for factor in samples.factors.names
    }
    latents = shown_latents(latent for best in strongest.values() for latent in best["latents"])
    heat_map = HeatMap(
        title=f"Correlations of {ctx.sae_id}, {samples.unit}",
        caption="Pearson correlation of a latent with having this value of a factor. Latents are "
        "those that go best with a factor.",
        rows=value_rows(samples),
        latents=latents,
        cells=association.with_values(latents),
    )
    report = FactorReport(metrics=METRICS, measured=association.measured, samples=samples)
    return EvalResult(
        metrics=report.categories(),
        details=report.details(lambda factor: strongest[factor]),
        unstructured=report.unstructured(
            null=cfg.model_dump(include={"n_permutations", "n_importance_permutations", "seed"}),
            n_latents_judged=association.n_latents_judged,
            matches=association.matches,
            artifacts=write_heat_map(heat_map, samples, ctx.artifacts),
        ),
    )
