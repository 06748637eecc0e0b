"""SAE-Bench's absorption eval: do other latents take over where a letter's latent should fire?"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field

from csae_bench.config.base import Count, Fraction, NonNegative
from csae_bench.engines.absorption.fields import METRICS
from csae_bench.engines.absorption.words import MIN_WORDS, skip_reason
from csae_bench.evals import Cost, EvalConfig, EvalContext, EvalResult, Preset, register_eval
from csae_bench.evals.inputs import Needs

_PROMPT_TOKENS = 80
"""Tokens in a prompt of eleven words, about: for the estimate of memory."""
_PROBE_BATCH = 64
"""SAE-Bench's prompts in a forward pass for the probes."""


class AbsorptionConfig(EvalConfig):
    """Settings of the absorption eval, named as in SAE-Bench where it has them."""

    words_per_letter: Annotated[int, Field(ge=MIN_WORDS)] | None = None
    """Words of each first letter, at most, drawn by `random_seed`; none: all of the tokenizer's, as
    in SAE-Bench."""

    random_seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of the words, their split, the prompts, the probes, and the intervals. SAE-Bench has
    this setting and does not use it."""

    f1_jump_threshold: NonNegative = 0.03
    """Gain in F1 by which a further latent counts as the letter's own."""

    max_k_value: Count = 10
    """Latents of a letter, at most."""

    prompt_template: Annotated[str, Field(pattern=r"\{word\}")] = "{word} has the first letter:"
    """The prompt; ten others with their answers stand before it."""

    prompt_token_pos: Annotated[int, Field(lt=0)] = -6
    """Place of the word's token in the prompt, counted from its end."""

    llm_batch_size: Count = 10
    """Prompts in a forward pass when absorption is measured; 64 when probes are trained."""

    k_sparse_probe_l1_decay: NonNegative = 0.01
    """L1 penalty of the probe that chooses latents."""

    k_sparse_probe_batch_size: Count = 4096
    """Words in a step of it."""

    k_sparse_probe_num_epochs: Count = 50
    """Epochs of it."""

    min_GT_probe_f1: Fraction = 0.6
    """F1 above which the model is taken to know a letter; other letters are left out."""

    min_feats_for_eval: Annotated[int, Field(ge=2, le=26)] = 20
    """Letters that it must know; with fewer there is no score."""

    eval_k_sparse_probe_batch_size: Count = 24
    """Words encoded at once when probes are tested."""

    precalc_k_sparse_probe_sae_acts: bool = False
    """Keep the codes of all training words while the probe that chooses latents is trained: faster,
    at 4 bytes a word and latent."""

    n_resamples: Annotated[int, Field(ge=1000)] = 1000
    """Number of draws of the letters for the intervals."""

    def needs(self, model: str | None) -> Needs:
        """Return the sizes of the passes, and why a model's words have no spelling.

        Where the eval names a model, what is wrong with it is a problem and no reason to skip.
        """
        asked = self.model or model
        reason = None if asked is None else skip_reason(asked)
        return Needs(
            batch_size=max(_PROBE_BATCH, self.llm_batch_size),
            prompt_tokens=_PROMPT_TOKENS,
            n_logits=0,
            skip=None if self.model else reason,
            problems=(f"model is {asked}; {reason}.",) if self.model and reason else (),
        )


_SAE_BENCH_DEFAULTS: dict[str, Any] = {
    name: info.default
    for name, info in AbsorptionConfig.model_fields.items()
    if name not in ("model", "n_resamples")
}


@register_eval(
    "absorption_first_letter",
    config=AbsorptionConfig,
    metrics=METRICS,
    headline=(
        "corrected.mean_absorption_fraction_score",
        "corrected.mean_full_absorption_score",
        "corrected.mean_split_f1",
    ),
    form=None,
    presets={
        "quick": Preset(
            settings={"words_per_letter": 150, "precalc_k_sparse_probe_sae_acts": True},
            about="At most 150 words of each letter in place of all: 3,797 of SmolLM2's 47,078.",
        ),
        "published": Preset(
            settings=_SAE_BENCH_DEFAULTS,
            about="SAE-Bench's defaults; no published result's eval_config could be seen offline.",
            unverified=tuple(_SAE_BENCH_DEFAULTS),
            cost=Cost(setup_minutes=33, minutes=26),
        ),
    },
)
def absorption_first_letter(ctx: EvalContext, cfg: AbsorptionConfig) -> EvalResult:
    """SAE-Bench's absorption eval: how often other latents stand in for a first letter's own.

    What it measures: a probe on the model's activations says which words begin with a letter. The
    letter's own latents are those on which a sparse probe does best: the first, and further ones
    while each gains `f1_jump_threshold` in F1 (feature splitting). A word is absorbed where these
    fall short of the probe's direction and other latents carry it: a latent for "snake" that fires
    in place of the one for "begins with s". Lower is better, 0 to 1. Chanin et al. 2024,
    arXiv:2409.14507; Karvonen et al. 2025, SAE-Bench, arXiv:2503.09532.

    Data: the words of the model's own tokenizer that are one token in the prompt; words of several
    tokens are left out and counted. A model with a word-level tokenizer, such as tiny-gemma2-it,
    never sees a spelling, and one with fewer than 20 words of some letter cannot be probed: the
    eval is skipped and says why. Probes are the model's: they are trained once for all SAEs and
    kept under all that decides them, with the activations that they were trained on.

    A letter counts if the model's probe has an F1 above `min_GT_probe_f1` on test words. If fewer
    than `min_feats_for_eval` do, SAE-Bench prints a line, leaves no result, and judges no further
    SAE. Here there is a result without a score, since that is a property of the model and no
    failure: the corrected values are null with the reason, SAE-Bench's own fields have its mark -1
    and are listed as undefined, and every letter's F1 is in `eval_result_unstructured.letters`.

    Cost: a pass to the SAE's layer of some 65 tokens for each word, once for a model; then of a
    fifth of the words, once for all SAEs of a run; and 260 small regressions for each SAE.

    When not to trust it: an SAE without latents for letters has nothing to absorb and scores well:
    read `corrected.mean_split_f1` first. Values changed tenfold between versions of SAE-Bench. It
    reads the residual stream after the layer whatever the SAE was trained on, so that SAEs at other
    hooks are refused here; it takes negative codes for silence, and multiplies codes by cosines
    whatever the length of the decoder's rows. `corrected` has the values without these two, with
    intervals over letters. Prompts are drawn at random: repeat it with `--eval-seeds`.
    """
    from csae_bench import models
    from csae_bench.engines.absorption.results import corrected, sae_bench_means
    from csae_bench.upstream.absorption import run_absorption
    from csae_bench.upstream.absorption_settings import AbsorptionSettings, absorption_config

    own = {"model", "words_per_letter", "n_resamples"}
    model = ctx.model()
    name = ctx.model_true_name or models.describe(ctx.model_name).name
    settings = AbsorptionSettings(
        config=absorption_config(model, model_name=name, **cfg.model_dump(exclude=own)),
        model_fingerprint=ctx.model_fingerprint or models.weights_fingerprint(ctx.model_name),
        hook_name=ctx.hook_name,
        words_per_letter=cfg.words_per_letter,
        device=ctx.device,
    )
    outcome = run_absorption(ctx.sae, model, settings, ctx.cache, ctx.shared)
    means = sae_bench_means(outcome.letters)
    right, reasons = corrected(
        outcome.corrected,
        undefined=outcome.undefined,
        n_resamples=cfg.n_resamples,
        seed=cfg.random_seed,
    )
    undefined = {each: "nan" for each, value in means.items() if math.isnan(value)}
    return EvalResult(
        metrics={"mean": {each: -1.0 if each in undefined else v for each, v in means.items()}},
        details=outcome.letters.details(),
        eval_config=outcome.eval_config,
        unstructured={
            "corrected": right,
            "reasons": {f"corrected.{each}": reason for each, reason in reasons.items()},
            "upstream_undefined": undefined,
            "letters": outcome.letters.table(),
            "letters_corrected": outcome.corrected.table(),
            "data": outcome.data,
            "batch_halvings": outcome.halvings,
            "warnings": outcome.warnings,
        },
    )
