"""SAE-Bench's core eval: does the SAE reconstruct, and does the language model survive it?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from csae_bench.config.base import Count
from csae_bench.evals import Cost, EvalConfig, EvalContext, EvalResult, Preset, register_eval
from csae_bench.evals.inputs import CorpusInput, Needs
from csae_bench.upstream.core_metrics import METRICS


class CoreConfig(EvalConfig):
    """Settings of the core eval, named as in SAE-Bench."""

    dataset: str = "tinyworld"
    """`tinyworld` or `sae_probes` (the documents of either that are kept for core), a folder of
    .jsonl or .parquet files with a `text` column, or the name of a dataset on the Hugging Face
    hub."""

    context_size: Annotated[int, Field(ge=2)] = 128
    """Tokens in a sequence, `<bos>` included."""

    batch_size_prompts: Count = 16
    """Sequences in one forward pass. SAE-Bench's own mse and explained_variance depend on it."""

    n_eval_reconstruction_batches: Count = 20
    """Batches for KL divergence and cross-entropy: three forward passes each."""

    n_eval_sparsity_variance_batches: Count = 40
    """Batches for reconstruction quality, shrinkage and sparsity; part of a forward pass each."""

    exclude_special_tokens_from_reconstruction: bool = True
    """Leave the activations of pad, eos and bos as they are when the SAE is put in place."""

    def needs(self, model: str | None) -> Needs:
        """Return the documents, read in batches of full sequences."""
        return Needs(
            inputs=(CorpusInput(self.dataset, split="core"),),
            batch_size=self.batch_size_prompts,
            context_size=self.context_size,
        )


@register_eval(
    "core",
    config=CoreConfig,
    metrics=METRICS,
    headline=(
        "corrected.ce_loss_score",
        "corrected.explained_variance",
        "corrected.l0",
        "corrected.frac_alive",
    ),
    form=None,
    is_random=False,
    presets={
        "quick": Preset(
            settings={"n_eval_reconstruction_batches": 5, "n_eval_sparsity_variance_batches": 20},
            about="5 batches for cross-entropy, 20 for reconstruction.",
        ),
        "published": Preset(
            settings={
                "dataset": "Skylion007/openwebtext",
                "context_size": 128,
                "batch_size_prompts": 16,
                "n_eval_reconstruction_batches": 200,
                "n_eval_sparsity_variance_batches": 2000,
                "exclude_special_tokens_from_reconstruction": True,
            },
            about="eval_config of a result of SAE-Bench's runner on Gemma-2-2B that we have.",
            cost=Cost(setup_minutes=0, minutes=9.0),
        ),
    },
)
def core(ctx: EvalContext, cfg: CoreConfig) -> EvalResult:
    """SAE-Bench's core eval: reconstruction, sparsity, and what the language model loses.

    What it measures: how well the SAE's output replaces the activation at the hook, by the share of
    variance explained and by the language model's cross-entropy with the output in place, and how
    many latents that takes. SAE-Bench's values are stored as it computes them; `corrected` has the
    same by the right formulas: SAE-Bench's explained variance and mse depend on the batch size, and
    its `frac_alive` does not count negative codes.

    Data: any text; each batch is of full sequences. Tinyworld's own for the bundled model.

    Cost: three passes of the model for a batch of cross-entropy, a part of one for a batch of
    reconstruction. Passes without the SAE are shared by all SAEs of a run.

    When not to trust it: at unequal L0, where every score here follows the sparsity; compare SAEs
    along a sparsity curve. An SAE with dead latents can score well. None of it says that a latent
    means anything: a random dictionary reconstructs half of the variance.
    """
    from csae_bench import models
    from csae_bench.corpora import open_corpus
    from csae_bench.upstream.core import CoreOutcome, CoreSettings, run_core
    from csae_bench.upstream.isolation import halving_batch, scaled_batches

    def run(batch_size: int) -> CoreOutcome:
        def n_batches(planned: int) -> int:
            return scaled_batches(planned, planned=cfg.batch_size_prompts, actual=batch_size)

        settings = CoreSettings(
            dataset_name=cfg.dataset,
            model_name=ctx.model_true_name or models.describe(ctx.model_name).name,
            hook_name=ctx.hook_name,
            context_size=cfg.context_size,
            batch_size_prompts=batch_size,
            n_eval_reconstruction_batches=n_batches(cfg.n_eval_reconstruction_batches),
            n_eval_sparsity_variance_batches=n_batches(cfg.n_eval_sparsity_variance_batches),
            exclude_special_tokens_from_reconstruction=cfg.exclude_special_tokens_from_reconstruction,
            progress=ctx.progress,
        )
        corpus = open_corpus(cfg.dataset, split="core")
        return run_core(ctx.sae, ctx.model(), corpus, settings, ctx.shared)

    halved = halving_batch(run, cfg.batch_size_prompts)
    outcome = halved.result
    return EvalResult(
        metrics=outcome.metrics,
        details=outcome.details,
        eval_config=outcome.eval_config,
        unstructured={
            "corrected": outcome.corrected.values,
            "reasons": {f"corrected.{k}": v for k, v in outcome.corrected.reasons.items()},
            "upstream_undefined": outcome.upstream_undefined,
            "data": outcome.data,
            "batch_halvings": halved.halvings,
            "warnings": outcome.warnings,
        },
    )
