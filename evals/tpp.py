"""SAE-Bench's targeted probe perturbation: do a class's latents move its probe alone?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from csae_bench.engines.classes.names import AUTO
from csae_bench.engines.perturbation.fields import TPP_METRICS
from csae_bench.engines.perturbation.settings import (
    PerturbationConfig,
    needs_classes,
    presets,
    resolved,
    upstream_settings,
)
from csae_bench.evals import Cost, EvalContext, EvalResult, register_eval
from csae_bench.evals.inputs import Needs

if TYPE_CHECKING:
    from csae_bench.upstream.perturbation import PerturbationOutcome


class TppConfig(PerturbationConfig):
    """Settings of tpp, named as in SAE-Bench."""

    dataset_names: Annotated[tuple[str, ...], Field(min_length=1)] = (AUTO,)
    """Datasets of text classes, as of sparse_probing: a factor of a factor dataset
    (`english:topic`), a file with `text` and `label`, `ag_news`, `amazon_reviews` or
    `sae_probes:NAME`, a name on the hub, `sae_bench` for SAE-Bench's two; `auto`: what suits the
    model and is here."""

    def needs(self, model: str | None) -> Needs:
        """Return the datasets."""
        asked = self.model or model
        if asked is None:
            return Needs()
        return needs_classes(self, self.datasets(asked), has_two_labels=False)

    def datasets(self, model: str) -> tuple[str, ...]:
        """Return the names of the datasets, `auto` and `sae_bench` resolved."""
        suited = {
            "tinyworld": ("tinyworld:topic", "tinyworld:tense"),
            "english": ("ag_news", "english:topic"),
        }
        return resolved(self.dataset_names, model, suited)


@register_eval(
    "tpp",
    config=TppConfig,
    metrics=TPP_METRICS,
    headline=tuple(f"corrected.tpp_threshold_{n}_total_metric" for n in (2, 10, 50)),
    form=None,
    presets=presets(Cost(setup_minutes=5, minutes=2)),
)
def tpp(ctx: EvalContext, cfg: TppConfig) -> EvalResult:
    """SAE-Bench's targeted probe perturbation: a class's latents ablated, its probe and the others.

    What it measures: a linear probe of the model's activations for each class of text; then the
    latents that move a class's probe most are set to zero. Accuracy that this probe loses, less
    what the probes of the other classes lose: 0 where the latents are of no class or of all, at
    most 0.5 or so (Karvonen et al. 2024, arXiv:2411.18895; 2025, arXiv:2503.09532). `corrected.*`
    are on the same test texts before and after; SAE-Bench draws them anew.

    Data: as of sparse_probing. A dataset has at least two classes.

    Cost: the model reads each text once for all SAEs of a session; SAE-Bench's sweep of classes
    and numbers of latents encodes and decodes each text once.

    When not to trust it: it does not separate good SAEs from bad ones reliably
    (arXiv:2605.18229), and so it informs and never gates unless a policy names it. Two classes of a
    dataset are one question: their probes are each other's reverse.
    """
    from csae_bench.engines.classes.drawing import draw_classes
    from csae_bench.engines.classes.names import dataset_name
    from csae_bench.engines.perturbation import reporting
    from csae_bench.upstream.isolation import halving_batch
    from csae_bench.upstream.perturbation import run_perturbation

    names = cfg.datasets(ctx.model_name)
    sizes = cfg.sizes(names, has_two_labels=False)
    texts = {
        name: draw_classes(name, sizes, cfg.random_seed)
        for name in names
        if dataset_name(name).kind != "hub"
    }

    def run(batch_size: int) -> PerturbationOutcome:
        settings = upstream_settings("tpp", ctx, cfg, names, sizes, batch_size)
        return run_perturbation(ctx.sae, ctx.model(), texts, settings, ctx.shared)

    halved = halving_batch(run, cfg.llm_batch_size)
    outcome = halved.result
    asked = outcome.eval_config["n_values"]
    values, reasons = reporting.corrected_tpp(
        outcome.tpp, asked, n_resamples=cfg.n_resamples, seed=cfg.random_seed
    )
    return EvalResult(
        metrics={"tpp_metrics": outcome.metrics},
        details=[{"dataset_name": name, **of} for name, of in outcome.by_dataset.items()],
        eval_config=outcome.eval_config,
        unstructured={
            **outcome.by_class,
            "corrected": values,
            "reasons": {**reporting.upstream_reasons("tpp", outcome.metrics, asked), **reasons},
            "data": {"datasets": list(names)},
            "batch_halvings": halved.halvings,
            "warnings": outcome.warnings,
        },
    )
