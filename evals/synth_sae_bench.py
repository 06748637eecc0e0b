"""SynthSAEBench's table: does the SAE find the true features of a synthetic model?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from csae_bench.config.base import Count
from csae_bench.evals import EvalConfig, EvalContext, EvalResult, Preset, register_eval
from csae_bench.evals.inputs import FactorInput, Needs
from csae_bench.upstream.synth_sae_bench_metrics import FORM, METRICS

if TYPE_CHECKING:
    from sae_lens.synthetic import SyntheticModel

AUTO = "auto"
NO_TRUE_FEATURES = (
    "the SAE is of a language model, whose true features are not known; name the synthetic model "
    "in evals.synth_sae_bench.factors if it has one"
)
NAMED = {"synthetic": False, "synthetic_tree": True}
"""Synthetic models by name -> whether features fire within others."""


class SynthSaeBenchConfig(EvalConfig):
    """Settings of SynthSAEBench's table, named as in SAELens where it has them."""

    factors: str = AUTO
    """The synthetic model that the SAE was trained on: `synthetic`, `synthetic_tree`, or a folder
    that SAELens's `SyntheticModel.save` wrote. `auto`: `synthetic` for an SAE without a language
    model; others are skipped."""

    world_seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of a synthetic model that is named."""

    num_samples: Count = 100_000
    """Samples that are drawn."""

    batch_size: Count = 1024
    """Samples at a time; another number draws other samples."""

    random_seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of the samples, and of random directions."""

    n_control: Annotated[int, Field(ge=0)] = 3
    """Draws of random directions."""

    def needs(self, model: str | None) -> Needs:
        """Return the synthetic model, and no language model."""
        if self.factors == AUTO and model is not None:
            return Needs(model=False, skip=NO_TRUE_FEATURES)
        world = self.world
        problem = f"factors is '{world}'; it must be {', '.join(NAMED)} or a folder"
        is_world = world in NAMED or Path(world).expanduser().is_dir()
        return Needs(
            model=False,
            inputs=(FactorInput(world),) if is_world else (),
            problems=() if is_world else (f"{problem} that SAELens's SyntheticModel.save wrote.",),
        )

    @property
    def world(self) -> str:
        """The synthetic model, `auto` resolved."""
        return "synthetic" if self.factors == AUTO else self.factors


@register_eval(
    "synth_sae_bench",
    config=SynthSaeBenchConfig,
    metrics=METRICS,
    headline=("mcc", "f1_score", "uniqueness", "mcc_null_mean"),
    form=FORM,
    presets={
        "quick": Preset(settings={"num_samples": 20_000}, about="A fifth of the samples."),
        "published": Preset(
            settings={"num_samples": 500_000},
            about="As many samples as SAELens's runner for synthetic models draws; the published "
            "table is of SynthSAEBench-16k (decoderesearch/synth-sae-bench-16k-v1 on the hub): "
            "save it into a folder and name that in `factors`.",
            unverified=("batch_size", "random_seed"),
        ),
    },
)
def synth_sae_bench(ctx: EvalContext, cfg: SynthSaeBenchConfig) -> EvalResult:
    """SynthSAEBench's table: MCC, F1, uniqueness and shrinkage on a synthetic model.

    What it measures: on a synthetic model the true features are known. MCC: how near the
    latents' directions are to theirs, matched one to one. F1, precision, recall: how well each
    latent fires with the feature that is nearest to it. Uniqueness: the share of latents that have
    a feature of their own. Shrinkage and explained variance: of the reconstruction. Chanin &
    Garriga-Alonso 2026, arXiv:2602.14687; computed by SAELens's `eval_sae_on_synthetic_data`,
    whose values these are.

    Data: a synthetic model of SAELens, one of ours by name (64 features in 96 dimensions) or a
    folder that `SyntheticModel.save` wrote, such as SynthSAEBench-16k's. SAEs of language models
    are skipped.

    Cost: seconds for our worlds; MCC takes a matching of all latents with all features, which
    grows with the cube of the smaller number: minutes at 16k.

    When not to trust it: where the SAE was trained on other activations than this model's. There
    every decoder is as good as random directions, whose MCC and uniqueness are reported.
    Neither is 0 at random, and both depend on the number of latents: with fewer latents than
    features MCC is of the matched features alone. That an SAE has the features of a synthetic
    model does not say that it would have those of a language model.
    """
    from csae_bench.upstream.synth_sae_bench import (
        NO_CONTROL,
        SynthSettings,
        run_synth_sae_bench,
    )

    world = _world(cfg)
    outcome = run_synth_sae_bench(
        ctx.sae,
        world,
        SynthSettings(
            world=cfg.world,
            num_samples=cfg.num_samples,
            batch_size=cfg.batch_size,
            random_seed=cfg.random_seed,
            n_control=cfg.n_control,
            device=ctx.device,
        ),
        ctx.shared,
    )
    return EvalResult(
        metrics={"scores": outcome.scores, "chance": outcome.random},
        unstructured={
            "data": {
                "factors": cfg.world,
                "n_features": world.cfg.num_features,
                "d_in": world.cfg.hidden_dim,
                "has_hierarchy": world.hierarchy is not None,
            },
            "reasons": {
                name: NO_CONTROL for name, value in outcome.random.items() if value is None
            },
            "warnings": outcome.warnings,
        },
    )


def _world(cfg: SynthSaeBenchConfig) -> SyntheticModel:
    """Make or load the synthetic model.

    Raises:
        DataError: the folder holds none.
    """
    from csae_bench.factors.datasets.synthetic import synthetic_world
    from csae_bench.upstream.synth_sae_bench import saved_world

    if cfg.world in NAMED:
        return synthetic_world(cfg.world_seed, has_children=NAMED[cfg.world])
    return saved_world(Path(cfg.world).expanduser())
