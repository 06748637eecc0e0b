"""SAE-Bench's autointerp eval: does an explanation of a latent tell where it fires?"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from csae_bench.config.base import Count, NonNegative
from csae_bench.engines.autointerp.fields import METRICS
from csae_bench.engines.autointerp.judges import (
    AnyJudge,
    AutoJudge,
    Judge,
    JudgeSettings,
    Opening,
    RuleJudge,
)
from csae_bench.engines.autointerp.texts import (
    SAE_BENCH_TOKENS,
    chosen_judge,
    chosen_text,
    unknown_because,
)
from csae_bench.evals import EvalConfig, EvalContext, EvalResult, Preset, register_eval
from csae_bench.evals.inputs import Needs

if TYPE_CHECKING:
    from csae_bench.engines.autointerp.texts import Text
    from csae_bench.upstream.autointerp import AutoInterpOutcome
    from csae_bench.upstream.autointerp_control import Control
    from csae_bench.upstream.autointerp_text import AutoInterpSettings

N_CONTROL = 20


class AutointerpConfig(EvalConfig):
    """Settings of the autointerp eval, named as in SAE-Bench where it has them."""

    judge: AnyJudge = AutoJudge()
    """The judge that explains latents and predicts them: `kind: rule` (a program that knows the
    factors of the text), `openai` (a server: base_url, model, api_key_env), `local` (a small
    language model on this machine), or `auto`: rule where the factors are known, else the eval is
    skipped. Scores under different judges do not compare."""

    dataset: str = "auto"
    """The text: a corpus as in core, `factors` (the sentences of the judge's factor dataset), or
    `auto`: text whose factors the judge knows, or else what suits the model."""

    n_latents: Count = 1000
    """Latents that are judged, drawn among those alive."""

    total_tokens: Count | None = None
    """Tokens of the text; none: SAE-Bench's 2,000,000, or 200,000 of text whose factors are
    known."""

    llm_context_size: Annotated[int, Field(ge=3)] = 128
    """Tokens in a sequence."""

    llm_batch_size: Count = 32
    """Sequences in a forward pass."""

    dead_latent_threshold: NonNegative = 15
    """Latents that fire on at most so many tokens are not drawn."""

    random_seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of the latents and examples that are drawn, and of resamples."""

    buffer: Count = 10
    """Tokens on each side of the one that an example is about."""

    no_overlap: bool = True
    """Keep the strongest examples apart."""

    act_threshold_frac: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """A latent fires where its code exceeds this share of its largest one."""

    max_tokens_in_explanation: Count = 30
    """Length of an explanation, at most."""

    use_demos_in_explanation: bool = True
    """Show the judge some explanations."""

    n_top_ex_for_generation: Count = 10
    """Strongest examples that an explanation is made from."""

    n_iw_sampled_ex_for_generation: Count = 5
    """Examples drawn by the squares of their codes that an explanation is made from."""

    n_top_ex_for_scoring: Count = 2
    """Strongest examples among those that are predicted."""

    n_random_ex_for_scoring: Count = 10
    """Random examples among those that are predicted; SAE-Bench labels them silent."""

    n_iw_sampled_ex_for_scoring: Count = 2
    """Examples drawn by the squares of their codes among those that are predicted."""

    n_control: Annotated[int, Field(ge=0)] | None = None
    """Latents whose explanation is known, and as many random ones, that the judge itself is scored
    on; none: 20 where asking costs nothing and factors are known, else 0."""

    n_resamples: Annotated[int, Field(ge=1000)] = 1000
    """Number of resamples of the latents, for the 95% intervals."""

    @model_validator(mode="after")
    def _fits_itself(self) -> AutointerpConfig:
        least = 2 * self.buffer + 1
        if self.llm_context_size < least:
            raise ValueError(
                f"llm_context_size is {self.llm_context_size}; it must be at least {least}, for "
                f"buffer={self.buffer} tokens on each side of one"
            )
        return self

    def needs(self, model: str | None) -> Needs:
        """Return text and judge, or why nobody can judge with this model."""
        from csae_bench import models

        asked = self.model or model
        if asked is None:
            return Needs()
        text = chosen_text(self.dataset, self.judge, asked)
        judge = chosen_judge(self.judge, text, asked)
        if isinstance(judge, str):
            return Needs(skip=judge)
        problems = list(judge.problems())
        unknown = unknown_because(judge, text, asked) if isinstance(judge, RuleJudge) else None
        problems += [] if unknown is None else [unknown]
        n_ctx = models.describe(asked).n_ctx
        if self.llm_context_size > n_ctx:
            problems.append(
                f"llm_context_size is {self.llm_context_size}; {asked} takes at most {n_ctx}."
            )
        # of one kind each, whatever is read twice
        inputs = {one.kind: one for one in (*judge.inputs(asked), *text.inputs())}
        return Needs(
            inputs=tuple(inputs.values()),
            batch_size=self.llm_batch_size,
            prompt_tokens=self.llm_context_size,
            n_logits=1,
            problems=tuple(problems),
        )


def validate(result: dict[str, Any]) -> None:
    """Check that SAE-Bench accepts the JSON; raise EvalError if it does not."""
    from csae_bench.upstream.validation import validate_as_sae_bench

    validate_as_sae_bench(result)


_PUBLISHED = {
    "judge": {"kind": "openai", "model": "gpt-4o-mini"},
    "dataset": "monology/pile-uncopyrighted",
    "n_latents": 1000,
    "total_tokens": SAE_BENCH_TOKENS,
}


@register_eval(
    "autointerp",
    config=AutointerpConfig,
    metrics=METRICS,
    headline=(
        "corrected.balanced_accuracy",
        "autointerp_score",
        "corrected.autointerp_score",
        "corrected.judge_known",
    ),
    form=None,
    validate=validate,
    presets={
        "quick": Preset(
            settings={"n_latents": 50, "total_tokens": 100_000},
            about="50 latents, on 100,000 tokens.",
        ),
        "published": Preset(
            settings=_PUBLISHED,
            about="The defaults of SAE-Bench 0.6.0; the judge stands in its code.",
            unverified=("judge", "dataset", "n_latents", "total_tokens"),
        ),
    },
)
def autointerp(ctx: EvalContext, cfg: AutointerpConfig) -> EvalResult:
    """SAE-Bench's autointerp eval: a judge explains latents and predicts where they fire.

    **What it measures.** A judge is shown texts in which a latent fires and explains it; then it is
    shown the explanation and 14 other texts, and says in which the latent fires. The score is the
    share that it is right about, mean over latents (Paulo et al. 2024, arXiv:2410.13928; Karvonen
    et al. 2025, arXiv:2503.09532). Of 14 examples 10 are random ones, so that saying None to all
    gives .71: read the balanced accuracy, which is .5 then. Random examples are labelled silent
    even where the latent fires; corrected values leave these out. 95% intervals are over latents,
    chance is the same predictions on shuffled examples.

    **Data.** Text whose factors are known: tinyworld for the bundled model, the sentences of the
    factor dataset `english` for any other one; or any corpus, with a language model as judge. The
    judge `rule` knows which word says which value of a factor, from labelled texts, and explains
    latents by rules over these: it is free and always answers the same. Each result has its score
    on latents that fire on one value's words (`judge_known`) and on random ones (`judge_random`).

    **Cost.** The text is read once for all SAEs of a hook. The judge `rule` takes about 0.2 s a
    latent, `local` some 20 s with SmolLM2-135M on a CPU, `openai` two requests a latent.

    **When not to trust it.** Under two judges, or on two texts, scores do not compare; `compare`
    refuses them. `rule` sees what values and single words tell and no more, so a latent for
    anything else scores as if it meant nothing; sentences of a grid are no prose. `local` is cheap
    and weak: see how little it makes of known latents. SAE-Bench's published scores are
    gpt-4o-mini's on the Pile.
    """
    from csae_bench.errors import ConfigError

    text = chosen_text(cfg.dataset, cfg.judge, ctx.model_name)
    judge = chosen_judge(cfg.judge, text, ctx.model_name)
    if isinstance(judge, str):
        raise ConfigError([judge])
    return _judged(ctx, cfg, text, judge)


def _judged(
    ctx: EvalContext, cfg: AutointerpConfig, text: Text, of_judge: JudgeSettings
) -> EvalResult:
    from csae_bench.engines.autointerp import reporting
    from csae_bench.upstream.autointerp import run_autointerp
    from csae_bench.upstream.autointerp_text import read_tokens, tokens_fingerprint
    from csae_bench.upstream.isolation import halving_batch

    judge = of_judge.open(Opening(model_name=ctx.model_name, load_model=ctx.load_model))
    settings, model = _settings(ctx, cfg, text, cfg.llm_batch_size), ctx.model()
    tokens = ctx.shared.get_or_make(
        ("autointerp", id(model), text, settings.total_tokens, settings.llm_context_size),
        lambda: read_tokens(text.rows(), model, settings).to(model.cfg.device),
    )

    def run(batch_size: int) -> AutoInterpOutcome:
        asked = _settings(ctx, cfg, text, batch_size)
        return run_autointerp(ctx.sae, model, tokens, judge, asked, ctx.shared)

    halved = halving_batch(run, cfg.llm_batch_size)
    outcome = halved.result
    control = _control(ctx, cfg, text, of_judge, judge, tokens)
    corrected = reporting.corrected(
        outcome,
        control and control.known,
        control and control.random,
        n_resamples=cfg.n_resamples,
        seed=cfg.random_seed,
        rng=ctx.rng,
    )
    return EvalResult(
        metrics=outcome.metrics,
        eval_config=outcome.eval_config,
        unstructured={
            "corrected": corrected.values,
            "reasons": {f"corrected.{name}": why for name, why in corrected.reasons.items()},
            "judge": of_judge.called(ctx.model_name),
            "data": {
                "dataset": text.name,
                "n": len(tokens),
                "fingerprint": tokens_fingerprint(tokens),
            },
            "latents": reporting.latents(outcome),
            "control": control and reporting.control(control.values, control.known, control.random),
            "batch_halvings": halved.halvings,
            "warnings": [*outcome.warnings, *reporting.warnings(outcome, cfg.n_latents)],
        },
    )


def _settings(
    ctx: EvalContext, cfg: AutointerpConfig, text: Text, batch_size: int
) -> AutoInterpSettings:
    from csae_bench import models
    from csae_bench.upstream.autointerp_text import AutoInterpSettings

    given = {
        "model_name": ctx.model_true_name or models.describe(ctx.model_name).name,
        "dataset_name": text.name,
        "hook_name": ctx.hook_name,
        "total_tokens": cfg.total_tokens or text.usual_tokens,
        "llm_batch_size": batch_size,
    }
    ours = {field.name for field in dataclasses.fields(AutoInterpSettings)} - given.keys()
    return AutoInterpSettings(**given, **{name: getattr(cfg, name) for name in ours})


def _control(
    ctx: EvalContext,
    cfg: AutointerpConfig,
    text: Text,
    of_judge: JudgeSettings,
    judge: Judge,
    tokens: Any,
) -> Control | None:
    """Score the judge itself, once for all SAEs of a session; None where it is not scored."""
    from csae_bench.engines.autointerp.world import world_of
    from csae_bench.upstream.autointerp_control import judged_control

    n_latents = cfg.n_control if cfg.n_control is not None else N_CONTROL * of_judge.is_free
    if not n_latents or text.factors is None:
        return None
    world = world_of(text.factors)
    model = ctx.model()
    settings = _settings(ctx, cfg, text, cfg.llm_batch_size)
    return ctx.shared.get_or_make(
        ("autointerp control", id(model), of_judge, n_latents, settings),
        lambda: judged_control(model, tokens, world, judge, settings, n_latents),
    )
