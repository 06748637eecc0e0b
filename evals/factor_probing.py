"""Systematic probing: which latent means what, and does intervening on it do what its name says?"""

from __future__ import annotations

from typing import Any

from csae_bench.engines.factors.settings import QUICK, Count, FactorEvalConfig
from csae_bench.engines.probing.fields import METRICS, ProbingFactorDetail
from csae_bench.evals import EvalContext, EvalResult, register_eval


class FactorProbingConfig(FactorEvalConfig):
    """Settings of the probing eval."""

    n_quantiles: Count = 4
    """Quantile bins of a latent's non-zeros, for its information on values."""

    n_prompts: Count = 12
    """Prompts in which the latent of each value is clamped, and in which it is ablated."""


@register_eval(
    "factor_probing",
    config=FactorProbingConfig,
    metrics=METRICS,
    headline=(
        "top_1_balanced_accuracy",
        "dense_balanced_accuracy",
        "assigned_latents",
        "clamp_effect",
        "random_clamp_effect",
    ),
    detail=ProbingFactorDetail,
    presets={"quick": QUICK},
)
def factor_probing(ctx: EvalContext, cfg: FactorProbingConfig) -> EvalResult:
    """Probes on the best latents of each factor value, what latents stand for, interventions.

    What it measures: how well one latent, a few, and all activations tell a factor's values on
    templates that no probe saw; and whether clamping the latent of a value, or ablating it, moves
    the model's answers, against random latents of equal size.

    Data: a factor dataset; effects need prompts whose next words show the factor, as tinyworld's.

    Cost: the pass is shared with mig; probes take seconds, effects some passes for each value.

    When not to trust it: probes find what the activations hold, whatever the SAE: read top-1
    against the dense probe and `random`. Clamping is to a value that the model may never have seen.
    """
    from csae_bench.engines.factors.reporting import FactorReport
    from csae_bench.engines.factors.samples import samples_of
    from csae_bench.engines.probing.browser.page import write_browser
    from csae_bench.engines.probing.details import controls, of_factor
    from csae_bench.engines.probing.measuring import measure
    from csae_bench.engines.probing.page import probing_page

    samples = samples_of(ctx, cfg)
    probing = measure(
        ctx,
        samples,
        n_permutations=cfg.n_permutations,
        n_resamples=cfg.n_resamples,
        n_quantiles=cfg.n_quantiles,
        n_prompts=cfg.n_prompts,
        seed=cfg.seed,
    )
    report = FactorReport(metrics=METRICS, measured=probing.measured(), samples=samples)
    page = probing_page(ctx, probing, report)
    permuted: dict[str, Any] = {"n_permutations": cfg.n_permutations, "seed": cfg.seed}
    return EvalResult(
        metrics=report.categories(),
        details=report.details(lambda factor: of_factor(probing, factor)),
        unstructured=report.unstructured(
            null=permuted,
            n_informative_latents=int(probing.latents.is_informative.sum()),
            forward_passes={
                "interventions": probing.intervened.n_sequences,
                "top_prompts": page.n_prompts_read,
            },
            controls=controls(probing),
            clamped_to={str(k): code for k, code in probing.intervened.clamped_to.items()},
            artifacts=write_browser(page.page, ctx.artifacts),
        ),
    )
