"""An eval: how many of the SAE's latents fire on a sample of a factor dataset."""

from __future__ import annotations

from csae_bench.evals import (
    Direction,
    EvalConfig,
    EvalContext,
    EvalResult,
    Metric,
    register_eval,
)
from csae_bench.evals.inputs import FactorInput, Needs

METRICS = {
    "score": Metric(
        title="Firing latents",
        description="Share of the latents that fire on a sample: 0 for a dead SAE.",
        direction=Direction.HIGHER,
        short="firing",
        sd_between_seeds=0.01,
    ),
    "silent": Metric(
        title="Silent latents",
        description="1 minus the share that fires.",
        direction=Direction.LOWER,
        gates=False,
    ),
    "n_samples": Metric(
        title="Samples",
        description="Samples that were read.",
        direction=Direction.NONE,
        high=None,
        is_supporting=True,
    ),
}


class TheirsConfig(EvalConfig):
    """Settings of the eval."""

    factors: str = "weather"
    """The factor dataset."""

    def needs(self, model: str | None) -> Needs:
        """Return the factor dataset."""
        return Needs(inputs=(FactorInput(self.factors),))


@register_eval("theirs", config=TheirsConfig, metrics=METRICS, headline=("score",))
def theirs(ctx: EvalContext, cfg: TheirsConfig) -> EvalResult:
    """A third party's eval: how many latents fire."""
    encoded = ctx.codes_and_factors(cfg.factors)
    n, d_sae = encoded.codes.shape
    score = encoded.codes.nnz / (n * d_sae)
    return EvalResult(metrics={"scores": {"score": score, "silent": 1 - score, "n_samples": n}})
