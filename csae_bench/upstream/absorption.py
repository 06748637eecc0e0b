"""SAE-Bench's first-letter absorption eval on an SAE and a model that are objects.

Chanin et al. 2024, arXiv:2409.14507; SAE-Bench's own runner loads a model by name, keeps probes in
its installed package, and gives up on all SAEs at the first one whose model knows too few letters.
This calls the functions that it is made of, unmodified.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import pandas
from sae_bench.evals.absorption import main as absorption_main
from sae_bench.evals.absorption.eval_config import AbsorptionEvalConfig
from sae_bench.evals.absorption.feature_absorption import run_feature_absortion_experiment
from sae_bench.evals.absorption.k_sparse_probing import run_k_sparse_probing_experiment
from sae_bench.evals.absorption.vocab import get_alpha_tokens
from sae_bench.sae_bench_utils import general_utils
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.absorption.results import Letter, Letters
from csae_bench.engines.absorption.words import chosen, few_words, n_by_letter
from csae_bench.errors import ConfigError, EvalError, ModelError, SaeError
from csae_bench.results.keys import digest
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae
from csae_bench.upstream.absorption_forms import PlainForm, WatchedSigns, has_unit_rows
from csae_bench.upstream.absorption_isolation import FewerCodes, StoppingModel, sae_bench_draws
from csae_bench.upstream.absorption_probes import (
    LetterProbes,
    ProbeSettings,
    kept_probes,
    letter_probes,
)
from csae_bench.upstream.absorption_prompts import whole_words
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.isolation import Halving
from csae_bench.upstream.provenance import versions

ENGINE_VERSION = 1
"""Raised by a change of this package after which kept probes may differ."""

_SAE_NAME = "sae"
_HOOK = re.compile(r"blocks\.(\d+)\.hook_resid_post")
_TOP_LATENTS = 10
"""Latents that SAE-Bench lists for each word, so that an SAE needs as many."""
_OF_NORMALIZED = ("layer_norm", "constant_norm_rescale")


@dataclass(frozen=True, kw_only=True)
class AbsorptionSettings:
    """Settings of SAE-Bench's absorption eval, by its names, and of what it is run on."""

    config: AbsorptionEvalConfig
    model_fingerprint: str
    """Hash that changes when the model's weights do."""
    hook_name: str
    words_per_letter: int | None
    device: str


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


def absorption_config(model: HookedTransformer, **values: Any) -> AbsorptionEvalConfig:
    """Return SAE-Bench's settings, its defaults where none is given."""
    return AbsorptionEvalConfig(llm_dtype=general_utils.dtype_to_str(model.cfg.dtype), **values)


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
    layer = _checked_layer(sae, model, settings)
    kept = shared or SharedPasses()
    words, n_dropped = _words(model, settings, kept)
    probes = _probes(model, words, layer, settings, cache, kept)
    own = formatted_copy(sae, model, settings.config.model_name, settings.hook_name)
    signs = WatchedSigns(own)
    run = _Run(
        StoppingModel(model, layer, settings.config.prompt_token_pos, kept),
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


class _Run(NamedTuple):
    """SAE-Bench's two experiments on one SAE."""

    model: StoppingModel
    layer: int
    words: Sequence[str]
    probes: LetterProbes
    settings: AbsorptionSettings

    def letters(self, sae: Any) -> tuple[Letters, list[str]]:
        """Return the letters, and what was warned of."""
        config = self.settings.config
        asked: dict[str, Any] = {
            "model": self.model,
            "sae": sae,
            "layer": self.layer,
            "sae_name": _SAE_NAME,
            "max_k_value": config.max_k_value,
            "prompt_template": config.prompt_template,
            "prompt_token_pos": config.prompt_token_pos,
            "device": self.settings.device,
        }
        with tempfile.TemporaryDirectory(prefix="csae-bench-") as name:
            folder = Path(name)
            self.probes.write(folder / "probes", self.model.cfg.model_name, self.layer)
            with (
                sae_bench_draws(self.words, seed=config.random_seed) as said,
                FewerCodes(config.max_k_value).within(),
            ):
                sparse = run_k_sparse_probing_experiment(
                    **asked,
                    experiment_dir=folder / "k_sparse",
                    probes_dir=folder / "probes",
                    f1_jump_threshold=config.f1_jump_threshold,
                    k_sparse_probe_l1_decay=config.k_sparse_probe_l1_decay,
                    k_sparse_probe_batch_size=config.k_sparse_probe_batch_size,
                    k_sparse_probe_num_epochs=config.k_sparse_probe_num_epochs,
                    eval_batch_size=config.eval_k_sparse_probe_batch_size,
                    precalc_k_sparse_probe_sae_acts=config.precalc_k_sparse_probe_sae_acts,
                )
                letters = self._joined(sparse, None)
                if letters.reason is None:
                    raw = run_feature_absortion_experiment(
                        **asked,
                        experiment_dir=folder / "absorption",
                        sparse_probing_experiment_dir=folder / "k_sparse",
                        probes_dir=folder / "probes",
                        feature_split_f1_jump_threshold=config.f1_jump_threshold,
                        batch_size=config.llm_batch_size,
                    )
                    letters = self._joined(sparse, absorption_main._aggregate_results_df(raw))  # pyright: ignore[reportPrivateUsage]
        return letters, _first_lines(said)

    def _joined(self, sparse: pandas.DataFrame, absorbed: pandas.DataFrame | None) -> Letters:
        config = self.settings.config
        by_letter = {} if absorbed is None else absorbed.set_index("letter").to_dict("index")
        n_words = {
            split: n_by_letter(words)
            for split, words in (
                ("train", self.probes.words_train),
                ("test", self.probes.words_test),
            )
        }
        letters: list[Letter] = []
        for row in sparse.to_dict("records"):
            letter, own = str(row["letter"]), [int(i) for i in row["split_feats"]]
            values = by_letter.get(letter)
            letters.append(
                Letter(
                    letter=letter,
                    n_train=n_words["train"][letter],
                    n_test=n_words["test"][letter],
                    probe_f1=float(row["f1_probe"]),
                    counts=bool(row["f1_probe"] > config.min_GT_probe_f1),
                    split_feats=tuple(own),
                    split_f1=float(row[f"f1_sparse_sae_{len(own)}"]),
                    **({} if values is None else _absorbed(values)),
                )
            )
        return Letters(
            letters=tuple(letters),
            min_letters=config.min_feats_for_eval,
            min_f1=config.min_GT_probe_f1,
        )


def _absorbed(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "mean_absorption_fraction": float(values["mean_absorption_fraction"]),
        "full_absorption_rate": float(values["full_absorption_rate"]),
        "num_full_absorption": int(values["num_full_absorption"]),
        "num_probe_true_positives": int(values["num_probe_true_positives"]),
    }


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


def _checked_layer(sae: AnySae, model: HookedTransformer, settings: AbsorptionSettings) -> int:
    name, hook_name = settings.config.model_name, settings.hook_name
    if model.tokenizer is None:
        raise ModelError(f"{name} has no tokenizer; absorption_first_letter spells its words.")
    match = _HOOK.fullmatch(hook_name)
    if match is None or hook_name not in model.hook_dict:
        last = f"blocks.{model.cfg.n_layers - 1}.hook_resid_post"
        raise SaeError(
            f"The SAE's hook_name is '{hook_name}'; absorption_first_letter reads the residual "
            f"stream after a layer, whatever the SAE was trained on, so it judges SAEs at "
            f"blocks.0.hook_resid_post to {last} of {name} only."
        )
    attributes.matrix(sae, "W_enc", needed_by="SAE-Bench's absorption eval")
    if attributes.d_in(sae) != model.cfg.d_model:
        raise SaeError(
            f"The SAE's d_in is {attributes.d_in(sae)}; {hook_name} of {name} is "
            f"{model.cfg.d_model} wide."
        )
    needed = max(_TOP_LATENTS, settings.config.max_k_value)
    if attributes.d_sae(sae) < needed:
        raise ConfigError(
            [
                f"evals.absorption_first_letter.max_k_value is {settings.config.max_k_value}; an "
                f"SAE needs that many latents, and at least {_TOP_LATENTS}. This one has "
                f"d_sae={attributes.d_sae(sae)}."
            ]
        )
    return int(match.group(1))


def _first_lines(messages: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(f"SAE-Bench: {text.splitlines()[0]}" for text in messages if text))
