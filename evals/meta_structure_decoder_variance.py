"""SAE-Bench's meta-structure eval: can a smaller SAE reconstruct the decoder's directions?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from csae_bench.config.base import Count, Fraction, NonNegative, Positive
from csae_bench.evals import EvalConfig, EvalContext, EvalResult, Preset, register_eval
from csae_bench.evals.inputs import Needs
from csae_bench.upstream.meta_structure_metrics import METRICS


class MetaStructureConfig(EvalConfig):
    """Settings of the eval, named as in SAE-Bench."""

    random_seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of the meta-SAE's weights, of the rows it is trained on, and of random directions."""

    width_ratio: Fraction = 0.25
    """Latents of the meta-SAE as a share of the SAE's."""

    k: Count = 4
    """Mean number of the meta-SAE's latents that fire on a row."""

    train_steps: Count = 1500
    """Steps of its training."""

    train_batch_size: Count = 1024
    """Rows in a step, drawn with replacement."""

    learning_rate: Positive = 5e-4
    """Learning rate of Adam, constant."""

    weight_decay: NonNegative = 0.0
    """Weight decay of Adam."""

    autocast: bool = True
    """Compute in bfloat16 where torch.autocast does, on a CPU too."""

    eval_batch_size: Count = 4096
    """Rows that are reconstructed at a time; `k` latents a row is their mean within a batch."""

    dead_feature_window: Count = 2000
    """Steps without firing after which a latent of the meta-SAE counts as dead."""

    feature_sampling_window: Count = 200
    """Steps between resets of its firing counts; changes no number."""

    dtype: Literal["float32", "float64", "bfloat16", "float16"] = "float32"
    """Type of its weights."""

    n_control: Annotated[int, Field(ge=0)] = 1
    """Draws of random directions, each of which costs as much as the decoder."""

    def needs(self, model: str | None) -> Needs:
        """Return that it needs neither a language model nor data."""
        return Needs(model=False)


_OF_THE_PAPER = ("width_ratio", "k")


@register_eval(
    "meta_structure_decoder_variance",
    config=MetaStructureConfig,
    metrics=METRICS,
    headline=(
        "corrected.decoder_fraction_variance_explained",
        "corrected.random_directions",
    ),
    form=None,
    presets={
        "quick": Preset(settings={"train_steps": 300}, about="A fifth of SAE-Bench's steps."),
        "published": Preset(
            about="A quarter of the width and 4 latents a row, as in appendix D.1 of "
            "arXiv:2503.17547; the rest is SAE-Bench's default.",
            unverified=tuple(
                name
                for name in MetaStructureConfig.model_fields
                if name not in (*_OF_THE_PAPER, "model", "n_control")
            ),
        ),
    },
)
def meta_structure_decoder_variance(ctx: EvalContext, cfg: MetaStructureConfig) -> EvalResult:
    """SAE-Bench's meta-structure eval: how much of the decoder a smaller SAE reconstructs.

    What it measures: a BatchTopK SAE with a quarter of the latents (the meta-SAE) is trained
    on the rows of the decoder; the value is the share of their variance that it reconstructs with
    4 latents a row. 1: the latents' directions are made of fewer shared ones; lower is better.
    Bussmann et al. 2025, arXiv:2503.17547, appendix D.1; SAE-Bench's eval of the same name.

    SAE-Bench's own value is reported as it is, from a seed that SAE-Bench sets on its command line
    only. `corrected` has that of the rows' directions: at norm 1, without zero rows, null where
    nothing varies (SAE-Bench writes 0 then, its best value). Next to it stands the same of random
    directions.

    Data: none, and no language model: SAEs of generated activations have a value too.

    Cost: one training of the meta-SAE for the decoder, one more where its rows are not of norm
    1, and one for each draw of random directions, which SAEs of one width share. Under a minute
    each at 16k latents on a GPU, by SAE-Bench's account.

    When not to trust it: a decoder that was never trained has the best value, and dead latents
    improve it: compare with random directions, and only SAEs that reconstruct equally well. The
    meta-SAE is scored on the rows that it was trained on, so that few latents in many dimensions
    are memorised. The value depends on the number of latents and on `train_steps`, and it moves
    with the seed: `--eval-seeds 3` shows how far.
    """
    from csae_bench.upstream.meta_structure import run_meta_structure

    settings = cfg.model_dump(exclude={"model", "n_control"})
    outcome = run_meta_structure(
        ctx.sae,
        settings,
        device=ctx.device,
        n_control=cfg.n_control,
        shared=ctx.shared,
        progress=ctx.progress,
    )
    return EvalResult(
        metrics=outcome.metrics,
        eval_config=outcome.eval_config,
        unstructured={
            "corrected": outcome.corrected,
            "reasons": {f"corrected.{name}": why for name, why in outcome.reasons.items()},
            "data": outcome.data,
            "warnings": outcome.warnings,
        },
    )
