"""Mutual information gap on sparse codes: does each factor have a latent of its own?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from csae_bench.engines.factors.fields import FactorDetail, ResultModel
from csae_bench.engines.factors.settings import QUICK, Count, FactorEvalConfig
from csae_bench.evals import Direction, EvalContext, EvalResult, Metric, register_eval
from csae_bench.evals.metric_rows import PARTS

_ACCOMPANIED: dict[str, Any] = {
    "has_null": True,
    "has_interval": True,
    "has_poolings": True,
    "is_by_factor": True,
}

if TYPE_CHECKING:
    from csae_bench.engines.factors.heat_map import HeatMap
    from csae_bench.engines.factors.reporting import Measured
    from csae_bench.engines.factors.samples import Samples
    from csae_bench.factors import Pooling
    from csae_bench.metrics import Codes, Factors, Score
    from csae_bench.metrics.mig import MigScore, ValueMigScore

METRICS = {
    "mig": Metric(
        title="MIG",
        description="Lead of the most informative latent over the next, in units of the factor's "
        "entropy, on 20 bins of equal width; Chen et al. 2018, arXiv:1802.04942. About 0 on an "
        "oracle SAE, whose latents share a factor's values among them: read it with value MIG.",
        direction=Direction.HIGHER,
        gist="best latent's lead, by factor",
        gates=False,
        note="About 0 on an oracle SAE, whose latents share a factor's values: read value MIG.",
        has_held_out=True,
        **_ACCOMPANIED,
    ),
    "value_mig": Metric(
        title="Value MIG",
        description="The same for each value of a factor against the rest, on a zero bin and "
        "quantiles of the non-zeros; latents for other values of the factor do not compete.",
        direction=Direction.HIGHER,
        gist="best latent's lead, by value",
        short="value MIG",
        parts=(
            ("value_mig_best_latent", "best latent"),
            ("value_mig_nearest_double", "its nearest double"),
        ),
        sd_between_seeds=0.055,
        note="1: a latent of its own for each value.",
        rank=-1,
        has_held_out=True,
        compared=("held_out", "adjusted"),
        **_ACCOMPANIED,
    ),
    "value_mig_best_latent": Metric(
        title="Value MIG, best latent",
        description="Information of the latent that knows most of a value, in units of the value's "
        "entropy; mean over a factor's values, then over factors.",
        direction=Direction.HIGHER,
        category=PARTS,
        gates=False,
        is_supporting=True,
        is_by_factor=True,
    ),
    "value_mig_nearest_double": Metric(
        title="Value MIG, nearest double",
        description="The same of the latent that knows most after it and competes with it: value "
        "MIG is the difference of the two.",
        direction=Direction.LOWER,
        category=PARTS,
        gates=False,
        is_supporting=True,
        is_by_factor=True,
    ),
    "mig_sup": Metric(
        title="MIG-sup",
        description="Lead of the factor that a latent is most informative about over the next, "
        "averaged over latents; Li et al. 2020, arXiv:2002.10549.",
        direction=Direction.HIGHER,
        gist="best factor's lead, by latent",
        sd_between_seeds=0.0044,
        **_ACCOMPANIED,
    ),
}


class MigConfig(FactorEvalConfig):
    """Settings of the MIG eval."""

    n_bins: Annotated[int, Field(ge=2)] = 20
    """Bins of equal width, for the classic MIG."""

    n_quantiles: Count = 4
    """Quantile bins of a latent's non-zeros, for value MIG and MIG-sup."""

    sensitivity: tuple[Count, ...] = (1, 4, 8)
    """Numbers of quantile bins with which value MIG and MIG-sup are also computed."""


class ValueDetail(ResultModel):
    """Results for one value of a factor."""

    value: str
    latent: int | None
    """The latent with the most information on it; null if no sample or every one has it."""
    value_mig: float | None
    """That latent's lead over the next that competes."""
    information: float | None
    """That latent's information, in units of the value's entropy, 0 to 1."""


class MigFactorDetail(FactorDetail):
    """Results for one factor."""

    mig_best_latent: int | None
    """The most informative latent."""
    values: list[ValueDetail]
    """Its values, in order."""


@register_eval(
    "mig",
    config=MigConfig,
    metrics=METRICS,
    headline=("mig", "value_mig", "value_mig_adjusted", "mig_sup"),
    detail=MigFactorDetail,
    presets={"quick": QUICK},
)
def mig(ctx: EvalContext, cfg: MigConfig) -> EvalResult:
    """Mutual information gap of latents on factors: classic, by value, by latent.

    What it measures: whether a factor, or each of its values, has a latent of its own: the lead of
    the most informative latent over the next, in units of the entropy (Chen et al. 2018,
    arXiv:1802.04942). Value MIG, the score to read, asks this of each value against the rest, as
    latents of an SAE stand for values and not for factors.

    Data: a factor dataset, texts whose factors are known; your own as a CSV or JSONL file.

    Cost: one pass of the model over the dataset for all evals on it, then seconds a permutation.

    When not to trust it: classic MIG is about 0 on an oracle whose latents share a factor's values.
    Negative codes count as silent in value MIG. A score no higher than `null_mean` says nothing.
    Codes of the last token can only hold what the model holds there.
    """
    from csae_bench.engines.factors.heat_map import write_heat_map
    from csae_bench.engines.factors.reporting import FactorReport
    from csae_bench.engines.factors.samples import samples_of
    from csae_bench.metrics.mig import binning_sensitivity

    samples = samples_of(ctx, cfg)
    scores = score(samples, cfg)
    sensitivity = binning_sensitivity(samples.codes, samples.factors, n_quantiles=cfg.sensitivity)
    report = FactorReport(metrics=METRICS, measured=scores.measured, samples=samples)
    return EvalResult(
        metrics=report.categories(),
        details=report.details(scores.of_factor),
        unstructured=report.unstructured(
            null=scores.null_settings,
            binning_sensitivity={
                name: {str(q): value for q, value in of_q.items()}
                for name, of_q in sensitivity.items()
            },
            artifacts=write_heat_map(
                _heat_map(ctx.sae_id, samples, scores, cfg), samples, ctx.artifacts
            ),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class MigMeasured:
    """The scores with their accompanying values."""

    measured: dict[str, Measured]
    classic: MigScore
    by_value: ValueMigScore
    null_settings: dict[str, Any]

    def of_factor(self, factor: str) -> dict[str, Any]:
        """Return what a factor's detail has besides its scores."""
        by_value = self.by_value
        return {
            "mig_best_latent": self.classic.best_latents[factor],
            "values": [
                {
                    "value": value,
                    "latent": latent,
                    "value_mig": by_value.by_value[factor][value],
                    "information": by_value.best_information[factor][value],
                }
                for value, latent in by_value.best_latents[factor].items()
            ],
        }


def score(samples: Samples, cfg: MigConfig) -> MigMeasured:
    """Return the three scores of codes, with nulls, intervals and held-out values."""
    from csae_bench import metrics
    from csae_bench.engines.factors.reporting import Measured
    from csae_bench.engines.factors.value_mig_parts import parts_of_value_mig

    codes, factors = samples.codes, samples.factors
    bins: dict[str, Any] = {"n_bins": cfg.n_bins, "n_quantiles": cfg.n_quantiles}
    classic, by_value, by_latent = _scores(codes, factors, cfg)
    pooled: dict[Pooling, tuple[Score, ...]] = {
        pooling: _scores(each, factors, cfg) for pooling, each in samples.over_tokens()
    }

    def over_tokens(place: int) -> dict[Pooling, Score]:
        return {pooling: scores[place] for pooling, scores in pooled.items()}

    best, double = parts_of_value_mig(by_value)
    null = metrics.permutation_null(
        codes, factors, n_permutations=cfg.n_permutations, seed=cfg.seed, **bins
    )
    intervals = metrics.mig_intervals(
        codes, factors, samples.templates, n_resamples=cfg.n_resamples, seed=cfg.seed, **bins
    )
    half = samples.half_of_templates(cfg.seed)
    held_out, held_out_by_value = None, None
    if half is not None:
        held_out = metrics.held_out_mig(codes, factors, half, n_bins=cfg.n_bins)
        held_out_by_value = metrics.held_out_value_mig(
            codes, factors, half, n_quantiles=cfg.n_quantiles
        )
    return MigMeasured(
        measured={
            "mig": Measured(
                score=classic,
                null=null.mig,
                interval=intervals["mig"],
                held_out=held_out,
                poolings=over_tokens(0),
            ),
            "value_mig": Measured(
                score=by_value,
                null=null.value_mig,
                interval=intervals["value_mig"],
                held_out=held_out_by_value,
                poolings=over_tokens(1),
            ),
            "value_mig_best_latent": Measured(score=best),
            "value_mig_nearest_double": Measured(score=double),
            "mig_sup": Measured(
                score=by_latent,
                null=null.mig_sup,
                interval=intervals["mig_sup"],
                poolings=over_tokens(2),
            ),
        },
        classic=classic,
        by_value=by_value,
        null_settings=null.settings,
    )


def _scores(
    codes: Codes, factors: Factors, cfg: MigConfig
) -> tuple[MigScore, ValueMigScore, Score]:
    from csae_bench import metrics

    return (
        metrics.mig(codes, factors, n_bins=cfg.n_bins),
        metrics.value_mig(codes, factors, n_quantiles=cfg.n_quantiles),
        metrics.mig_sup(codes, factors, n_quantiles=cfg.n_quantiles),
    )


def _heat_map(sae_id: str, samples: Samples, scores: MigMeasured, cfg: MigConfig) -> HeatMap:
    from csae_bench.engines.factors.heat_map import HeatMap, shown_latents, value_rows
    from csae_bench.metrics.gaps import shares_of_values

    best, nearest = scores.by_value.best_latents, scores.by_value.runner_up_latents
    latents = shown_latents(
        latent
        for factor, values in best.items()
        for value, first in values.items()
        for latent in (first, nearest[factor][value])
    )
    shares = shares_of_values(samples.codes, samples.factors, n_quantiles=cfg.n_quantiles)
    return HeatMap(
        title=f"MIG of {sae_id}, {samples.unit}",
        caption="Information of a latent on whether a factor has this value, in units of the "
        "value's entropy. Each value's best latent, then the runner-up that competes with it.",
        rows=value_rows(samples),
        latents=latents,
        cells=shares[list(latents)].T,
    )
