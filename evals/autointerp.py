"""SAE-Bench's autointerp eval: does an explanation of a latent tell where it fires?"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from csae_bench.engines.autointerp.fields import METRICS
from csae_bench.engines.autointerp.judges import Judge, JudgeSettings, Opening
from csae_bench.engines.autointerp.settings import AutointerpConfig
from csae_bench.engines.autointerp.texts import SAE_BENCH_TOKENS, chosen_judge, chosen_text
from csae_bench.evals import Cost, EvalContext, EvalResult, Preset, register_eval

if TYPE_CHECKING:
    from csae_bench.engines.autointerp.texts import Text
    from csae_bench.upstream.autointerp import AutoInterpOutcome
    from csae_bench.upstream.autointerp_control import Control
    from csae_bench.upstream.autointerp_text import AutoInterpSettings


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
    presets={
        "quick": Preset(
            settings={"n_latents": 50, "total_tokens": 100_000},
            about="50 latents, on 100,000 tokens.",
        ),
        "published": Preset(
            settings=_PUBLISHED,
            about="The defaults of SAE-Bench 0.6.0; the judge stands in its code.",
            unverified=("judge", "dataset", "n_latents", "total_tokens"),
            cost=Cost(setup_minutes=0, minutes=9.0),
        ),
    },
)
def autointerp(ctx: EvalContext, cfg: AutointerpConfig) -> EvalResult:
    """SAE-Bench's autointerp eval: a judge explains latents and predicts where they fire.

    What it measures: whether an explanation of a latent tells where it fires. A judge is shown
    texts in which it fires, and explains it; from the explanation alone it then says in which of 14
    other texts it fires (Paulo et al. 2024, arXiv:2410.13928; Karvonen et al. 2025,
    arXiv:2503.09532). SAE-Bench's score is the share that it is right about. 10 of the 14 are drawn
    at random, so None for all of them gives .71: read the balanced accuracy, which then is .5. What
    is drawn at random is labelled silent even where the latent fires; corrected values leave such
    texts out.

    Data: text whose factors are known, tinyworld's for the bundled model and the sentences of the
    factor dataset `english` for any other one; or any text, with a language model as the judge. The
    judge `rule` knows which words say which value of a factor, and its explanations are rules on
    these and on single words: it is free, and always says the same. The judge itself is scored
    beside the SAE, on latents that fire on the words of one value (`judge_known`, near 1) and on
    latents that fire anywhere (`judge_random`, near .5).

    Cost: one pass over the text for all SAEs on a hook. A latent takes the judge `rule` some .2 s,
    `local` about 20 s with SmolLM2-135M on a CPU, and `openai` two requests.

    When not to trust it: under two judges or on two texts scores do not compare, and `compare`
    refuses to. `rule` takes a latent for something that is neither a value nor few words for noise,
    and sentences of a grid are no prose. `local` is cheap and weak: see what it makes of known
    latents. SAE-Bench's published scores are those of gpt-4o-mini on the Pile.
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

    n_latents = cfg.n_control_of(of_judge)
    if not n_latents or text.factors is None:
        return None
    world = world_of(text.factors)
    model = ctx.model()
    settings = _settings(ctx, cfg, text, cfg.llm_batch_size)
    return ctx.shared.get_or_make(
        ("autointerp control", id(model), of_judge, n_latents, settings),
        lambda: judged_control(model, tokens, world, judge, settings, n_latents),
    )
