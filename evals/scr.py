"""SAE-Bench's spurious correlation removal: can latents of one label be taken out of a probe?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from csae_bench.engines.classes.names import AUTO
from csae_bench.engines.perturbation.fields import SCR_METRICS
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


class ScrConfig(PerturbationConfig):
    """Settings of scr, named as in SAE-Bench."""

    dataset_names: Annotated[tuple[str, ...], Field(min_length=1)] = (AUTO,)
    """Datasets of texts with two labels, the one to be told and the one that is confused with it:
    two factors of a factor dataset (`english:sentiment*gender`) or two columns of a .csv or .jsonl
    file (`texts.csv:first*second`), a name on the hub, `sae_bench` for SAE-Bench's two; `auto`:
    what suits the model and is here. Of the first label every two values are a pair; the second
    has two."""

    n_control: Annotated[int, Field(ge=0)] = 3
    """Number of draws of random latents, each through the whole sweep."""

    def needs(self, model: str | None) -> Needs:
        """Return the datasets."""
        asked = self.model or model
        if asked is None:
            return Needs()
        return needs_classes(self, self.datasets(asked), has_two_labels=True)

    def datasets(self, model: str) -> tuple[str, ...]:
        """Return the names of the datasets, `auto` and `sae_bench` resolved."""
        suited = {
            "tinyworld": ("tinyworld:sentiment*gender", "tinyworld:register*number"),
            "english": ("english:sentiment*gender", "english:register*number"),
        }
        return resolved(self.dataset_names, model, suited)


@register_eval(
    "scr",
    config=ScrConfig,
    metrics=SCR_METRICS,
    headline=tuple(f"corrected.scr_metric_threshold_{n}" for n in (2, 10, 50)),
    form=None,
    presets=presets(Cost(setup_minutes=22, minutes=6)),
)
def scr(ctx: EvalContext, cfg: ScrConfig) -> EvalResult:
    """SAE-Bench's spurious correlation removal: a biased probe with one label's latents ablated.

    What it measures: a probe is trained on texts in which two labels go together, and confuses
    them. Latents that move a probe of the one label most are set to zero; the score is the share of
    the accuracy on the other label that comes back, 1 for all of it, below 0 where more is lost
    (Karvonen et al. 2024, arXiv:2411.18895; 2025, arXiv:2503.09532). `corrected.*` are sums over
    all pairs on the same test texts for every SAE, next to random latents; they are null where the
    correlation costs next to nothing, for which SAE-Bench has 0, and where the directions tie.

    Data: texts with two labels that are independent: two factors with the bundled model's world
    or the English sentences, your own file with two columns, SAE-Bench's two datasets where there
    is a network.

    Cost: as of tpp, for six kinds of text to a pair of classes, and the draws of random latents.

    When not to trust it: it does not separate good SAEs from bad ones reliably
    (arXiv:2605.18229), and so it informs and never gates unless a policy names it. A ratio of small
    differences: look at its interval, and at what random latents bring back.
    """
    from csae_bench.engines.classes.drawing import draw_pairs
    from csae_bench.engines.classes.names import dataset_name
    from csae_bench.engines.perturbation import reporting
    from csae_bench.upstream.isolation import halving_batch
    from csae_bench.upstream.perturbation import run_perturbation

    names = cfg.datasets(ctx.model_name)
    sizes = cfg.sizes(names, has_two_labels=True)
    texts = {
        name: draw_pairs(name, sizes, cfg.random_seed)
        for name in names
        if dataset_name(name).kind != "hub"
    }

    def run(batch_size: int) -> PerturbationOutcome:
        settings = upstream_settings("scr", ctx, cfg, names, sizes, batch_size, cfg.n_control)
        return run_perturbation(ctx.sae, ctx.model(), texts, settings, ctx.shared)

    halved = halving_batch(run, cfg.llm_batch_size)
    outcome = halved.result
    asked = outcome.eval_config["n_values"]
    values, reasons = reporting.corrected_scr(
        outcome.scr, asked, n_resamples=cfg.n_resamples, seed=cfg.random_seed
    )
    return EvalResult(
        metrics={"scr_metrics": outcome.metrics},
        details=[{"dataset_name": name, **of} for name, of in outcome.by_dataset.items()],
        eval_config=outcome.eval_config,
        unstructured={
            "corrected": values,
            "reasons": {**reporting.upstream_reasons("scr", outcome.metrics, asked), **reasons},
            "data": {"datasets": list(names)},
            "batch_halvings": halved.halvings,
            "warnings": outcome.warnings,
        },
    )
