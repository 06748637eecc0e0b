"""SAE-Bench's first-letter absorption eval on an SAE and a model that are objects.

Chanin et al. 2024, arXiv:2409.14507; SAE-Bench's own runner loads a model by name, keeps probes in
its installed package, and gives up on all SAEs at the first one whose model knows too few letters.
This calls the functions that it is made of, unmodified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from sae_bench.evals.absorption.vocab import get_alpha_tokens
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.absorption.results import Letters
from csae_bench.engines.absorption.words import chosen, few_words, n_by_letter
from csae_bench.errors import EvalError
from csae_bench.results.keys import digest
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae
from csae_bench.upstream.absorption_forms import PlainForm, WatchedSigns, has_unit_rows
from csae_bench.upstream.absorption_isolation import StoppingModel
from csae_bench.upstream.absorption_probes import (
    LetterProbes,
    ProbeSettings,
    kept_probes,
    letter_probes,
)
from csae_bench.upstream.absorption_prompts import whole_words
from csae_bench.upstream.absorption_run import AbsorptionRun
from csae_bench.upstream.absorption_settings import AbsorptionSettings, checked_layer
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.isolation import Halving, isolated
from csae_bench.upstream.provenance import versions

ENGINE_VERSION = 1
"""Raised by a change of this package after which kept probes may differ."""

_OF_NORMALIZED = ("layer_norm", "constant_norm_rescale")


@dataclass(frozen=True, kw_only=True, eq=False)
class AbsorptionOutcome:
    """Letters by SAE-Bench's own rules, and in the form in which its formulas hold."""

    letters: Letters
    corrected: Letters
    """The same object where the SAE has that form itself."""
    undefined: str | None
    """Why nothing corrected can be said; None where it can."""
    eval_config: dict[str, Any]
    data: dict[str, Any]
    halvings: list[Halving]
    warnings: list[str] = field(default_factory=list[str])


def run_absorption(
    sae: AnySae,
    model: HookedTransformer,
    settings: AbsorptionSettings,
    cache: Path | None = None,
    shared: SharedPasses | None = None,
) -> AbsorptionOutcome:
    """Evaluate `sae`, which is not changed, at the model's dtype and on the model's device.

    Args:
        cache: a folder in which the model's probes are kept by content, for later runs.
        shared: holds probes and activations, which are the model's, for other SAEs.

    Raises:
        ModelError: the model has no tokenizer.
        SaeError: the SAE is not of a blocks.L.hook_resid_post of the model, or has no W_enc.
        ConfigError: it has fewer latents than are looked at.
        EvalError: too few words of a letter are one token, or prompts differ in length.
    """
    layer = checked_layer(sae, model, settings)
    kept = shared or SharedPasses()
    words, n_dropped = _words(model, settings, kept)
    probes = _probes(model, words, layer, settings, cache, kept)
    with isolated():
        own = formatted_copy(sae, model, settings.config.model_name, settings.hook_name)
    signs = WatchedSigns(own)
    # an SAE that is judged in two forms reads its prompts once, also where it is the only one
    passes = kept if kept.n_users > 1 else SharedPasses(n_users=2)
    run = AbsorptionRun(
        StoppingModel(model, layer, settings.config.prompt_token_pos, passes),
        layer,
        words,
        probes,
        settings,
    )
    letters, warnings = run.letters(own)
    corrected = letters
    scaled = attributes.normalize_activations(sae) in _OF_NORMALIZED
    if not scaled and (signs.has_negative or not has_unit_rows(own)):
        corrected, more = run.letters(PlainForm(own, has_signs=signs.has_negative))
        warnings = list(dict.fromkeys([*warnings, *more]))
    return AbsorptionOutcome(
        letters=letters,
        corrected=corrected,
        undefined=_NORMALIZED if scaled else None,
        eval_config=asdict(settings.config),
        data={
            "n_words": len(words),
            "n_words_not_one_token": n_dropped,
            "n_words_by_letter": n_by_letter(words),
            "words_digest": digest({"words": words})[:16],
            "n_train": len(probes.words_train),
            "n_test": len(probes.words_test),
            "has_negative_codes": signs.has_negative,
            "has_form_of_its_own": corrected is not letters,
        },
        halvings=run.model.halvings,
        warnings=warnings,
    )


_NORMALIZED = (
    "the SAE normalizes each activation, and its codes are in units of the normalized ones, which "
    "SAE-Bench compares with the activations themselves"
)


def chosen_words(model: HookedTransformer, settings: AbsorptionSettings) -> list[str]:
    """Return the words on which an SAE is judged.

    Raises:
        EvalError: too few words of a letter are one token.
    """
    return _words(model, settings, SharedPasses(0))[0]


def _words(
    model: HookedTransformer, settings: AbsorptionSettings, kept: SharedPasses
) -> tuple[list[str], int]:
    """Return the words to use, and how many were left out as more than one token."""
    config = settings.config

    def read() -> tuple[list[str], int]:
        every = sorted(set(get_alpha_tokens(cast(Any, model.tokenizer))))
        whole = whole_words(model, every, config.prompt_template, config.prompt_token_pos)
        return whole, len(every) - len(whole)

    place = (id(model), config.prompt_template, config.prompt_token_pos)
    whole, n_dropped = kept.get_or_make(("letter words", *place), read)
    problem = few_words(n_by_letter(whole), config.model_name)
    if problem is not None:
        raise EvalError(f"{problem[0].upper()}{problem[1:]}. It has no first-letter absorption.")
    return chosen(whole, settings.words_per_letter, config.random_seed), n_dropped


def _probes(
    model: HookedTransformer,
    words: Sequence[str],
    layer: int,
    settings: AbsorptionSettings,
    cache: Path | None,
    kept: SharedPasses,
) -> LetterProbes:
    config = settings.config
    key = {
        "model": settings.model_fingerprint,
        "dtype": str(model.cfg.dtype),
        "device": settings.device,
        "layer": layer,
        "prompt_template": config.prompt_template,
        "prompt_token_pos": config.prompt_token_pos,
        "words": list(words),
        "random_seed": config.random_seed,
        "versions": versions(),
        "engine": ENGINE_VERSION,
    }
    asked = ProbeSettings(
        prompt_template=config.prompt_template,
        prompt_token_pos=config.prompt_token_pos,
        layer=layer,
        random_seed=config.random_seed,
        device=settings.device,
    )
    # prompts for probes are read once: nothing to keep
    reader = StoppingModel(model, layer, config.prompt_token_pos, SharedPasses(0))
    return kept.get_or_make(
        ("letter probes", id(model), digest(key)),
        lambda: kept_probes(cache, key, lambda: letter_probes(reader, words, asked)),
    )
