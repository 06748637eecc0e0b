"""SAE-Bench's unlearning eval: can latents be clamped so that one subject alone is forgotten?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from csae_bench.config.base import Count
from csae_bench.engines.unlearning.data import SAE_BENCH_SCALE, TINYWORLD_SCALE, Scale
from csae_bench.engines.unlearning.fields import FORM, METRICS, SaeBenchConfig, UnlearningDetail
from csae_bench.engines.unlearning.readiness import QuestionsInput, model_problems
from csae_bench.engines.unlearning.sources import AUTO, TINYWORLD, chosen_data
from csae_bench.evals import Cost, EvalConfig, EvalContext, EvalResult, Preset, register_eval
from csae_bench.evals.inputs import Needs

if TYPE_CHECKING:
    from csae_bench.upstream.unlearning import UnlearningOutcome

# SAE-Bench writes them into names of files, which it cannot read again below this
Threshold = Annotated[float, Field(ge=1e-4, le=1)]


class UnlearningConfig(EvalConfig):
    """Settings of the unlearning eval, named as in SAE-Bench where it has them."""

    data: str = AUTO
    """Questions and texts: `tinyworld` (invented facts that only the bundled model knows), `hub`
    (WMDP, MMLU, WikiText), or a folder of .jsonl or .parquet files with the same rows; `auto`:
    what suits the model."""

    forget_corpus: str | None = None
    """A .jsonl or .parquet file with the texts to forget, if you have the gated corpus as a file;
    none: the one of `data`."""

    retain_thresholds: Annotated[tuple[Threshold, ...], Field(min_length=1)] = (0.001, 0.01)
    """Latents that fire on this share of the retain text's tokens or more are not clamped."""

    n_features_list: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None
    """Number of latents to clamp, those that fire most on the forget text; none: SAE-Bench's 10
    and 20, or 3 and 10 of tinyworld data."""

    multipliers: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None
    """Active latents are clamped to minus this value; none: SAE-Bench's 25, 50, 100 and
    200, or 4, 8, 12 and 16 of tinyworld data."""

    dataset_size: Count | None = None
    """Sequences of each kind of text, at most; none: SAE-Bench's 1024, or 256 of tinyworld data."""

    seq_len: Annotated[int, Field(ge=2)] | None = None
    """Tokens in a sequence; none: SAE-Bench's 1024, or 128 of tinyworld data, or the context of the
    model where that is shorter."""

    llm_batch_size: Count | None = None
    """Sequences in a forward pass, of questions twice as many; none: 4, or 32 of tinyworld data."""

    random_seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of the order in which texts are read, and of random latents."""

    n_control: Annotated[int, Field(ge=0)] = 5
    """Number of draws of random latents, each through the whole sweep."""

    n_splits: Count = 50
    """Random halves of the questions for the held-out score."""

    n_resamples: Annotated[int, Field(ge=1000)] = 1000
    """Number of draws of the questions for the interval."""

    def needs(self, model: str | None) -> Needs:
        """Return questions and texts, and why the run's own model cannot be asked.

        Where the eval names a model, what is wrong with it is a problem and no reason to skip.
        """
        asked = self.model or model
        if asked is None:
            return Needs()
        data = chosen_data(self.data, asked)
        skip = None if self.model else " ".join(model_problems(asked)) or None
        scale = self.scale(data, asked)
        return Needs(
            batch_size=scale.llm_batch_size,
            prompt_tokens=scale.seq_len,
            n_logits=2,  # questions, of which twice as many are asked at once; texts have none
            inputs=(
                QuestionsInput(
                    name=data,
                    model=asked,
                    d_in_model=model if self.model else None,
                    forget_corpus=self.forget_corpus,
                    seq_len=scale.seq_len,
                ),
            ),
            skip=skip,
        )

    def scale(self, data: str, model: str) -> Scale:
        """Return the value that is set, or else one that suits the data and the model asked."""
        from csae_bench import models

        usual = TINYWORLD_SCALE if data == TINYWORLD else SAE_BENCH_SCALE
        return Scale(
            self.dataset_size or usual.dataset_size,
            self.seq_len or min(usual.seq_len, models.describe(model).n_ctx),
            self.llm_batch_size or usual.llm_batch_size,
            self.n_features_list or usual.n_features_list,
            self.multipliers or usual.multipliers,
        )


@register_eval(
    "unlearning",
    config=UnlearningConfig,
    metrics=METRICS,
    headline=("unlearning_score", "unlearning_score_held_out", "unlearning_score_null_mean"),
    form=FORM,
    detail=UnlearningDetail,
    reported_config=SaeBenchConfig,
    presets={
        "quick": Preset(settings={"n_control": 1}, about="One draw of random latents."),
        "published": Preset(
            settings={
                "data": "hub",
                "retain_thresholds": [0.001, 0.01],
                "random_seed": 42,
                **SAE_BENCH_SCALE._asdict(),
            },
            about="SAE-Bench's defaults, on WMDP-bio and MMLU.",
            unverified=("retain_thresholds", "random_seed", *SAE_BENCH_SCALE._fields),
            cost=Cost(setup_minutes=33, minutes=9.8),
        ),
    },
)
def unlearning(ctx: EvalContext, cfg: UnlearningConfig) -> EvalResult:
    """SAE-Bench's unlearning eval: whether clamped latents make the model forget one subject.

    What it measures: the share of a subject's questions that the model no longer answers when the
    latents that fire most on that subject are clamped to negative values, where it keeps 99% of its
    accuracy on other subjects (arXiv:2410.19278). The best of a grid of settings counts.

    Data: WMDP-bio and MMLU from the hub (the texts to forget are gated), your own folder, or
    tinyworld's invented facts, which only the bundled model knows.

    Cost: the questions for each setting of the grid; minutes, or hours on WMDP.

    When not to trust it: the best of many settings on the same questions is optimistic:
    `unlearning_score_held_out` chooses on one half. Few known questions make it coarse. Random
    latents are clamped as a control, and the score has to exceed theirs.
    """
    from csae_bench import models
    from csae_bench.engines.unlearning import reporting, statistics
    from csae_bench.engines.unlearning.sources import open_data
    from csae_bench.upstream.isolation import halving_batch
    from csae_bench.upstream.unlearning import UnlearningSettings, run_unlearning

    source = chosen_data(cfg.data, ctx.model_name)
    scale = cfg.scale(source, ctx.model_name)
    data = open_data(source, forget_corpus=cfg.forget_corpus)

    def run(batch_size: int) -> UnlearningOutcome:
        settings = UnlearningSettings(
            model_name=ctx.model_true_name or models.describe(ctx.model_name).name,
            model_fingerprint=ctx.model_fingerprint or models.weights_fingerprint(ctx.model_name),
            hook_name=ctx.hook_name,
            retain_thresholds=cfg.retain_thresholds,
            n_features_list=scale.n_features_list,
            multipliers=scale.multipliers,
            dataset_size=scale.dataset_size,
            seq_len=scale.seq_len,
            batch_size=batch_size,
            random_seed=cfg.random_seed,
            n_control=cfg.n_control,
            progress=ctx.progress,
        )
        return run_unlearning(ctx.sae, ctx.model(), data, settings, ctx.cache, ctx.shared)

    halved = halving_batch(run, scale.llm_batch_size)
    measured, sweep = halved.result, halved.result.sweep
    held_out = statistics.held_out_score(
        sweep.forget, sweep.retain, sweep.retain_subjects, n_splits=cfg.n_splits, rng=ctx.rng
    )
    interval = statistics.score_interval(
        sweep.forget, sweep.retain, n_resamples=cfg.n_resamples, rng=ctx.rng
    )
    chance = statistics.against_chance(
        measured.unlearning_score,
        [(drawn.forget, drawn.retain) for drawn in measured.controls],
        measured.control_reason,
    )
    metrics, reasons = reporting.metrics(measured.unlearning_score, held_out, interval, chance)
    return EvalResult(
        metrics=metrics,
        details=reporting.details(sweep),
        eval_config=measured.eval_config,
        unstructured={
            "data": reporting.data(data, sweep, scale),
            "questions": {name: ids.tolist() for name, ids in sweep.questions.items()},
            "control": reporting.control(measured.controls, measured.n_alive),
            "reasons": reasons,
            "notes": reporting.notes(sweep),
            "batch_halvings": halved.halvings,
            "warnings": [*measured.warnings, *reporting.warnings(sweep)],
        },
    )
