"""Settings of SAE-Bench's absorption eval, and the SAEs and models that it can judge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sae_bench.evals.absorption.eval_config import AbsorptionEvalConfig
from sae_bench.sae_bench_utils import general_utils
from transformer_lens import HookedTransformer

from csae_bench.errors import ConfigError, ModelError, SaeError
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae

_HOOK = re.compile(r"blocks\.(\d+)\.hook_resid_post")
_TOP_LATENTS = 10
"""Latents that SAE-Bench lists for each word, so that an SAE needs as many."""


@dataclass(frozen=True, kw_only=True)
class AbsorptionSettings:
    """Settings of SAE-Bench's absorption eval, by its names, and of what it is run on."""

    config: AbsorptionEvalConfig
    model_fingerprint: str
    """Hash that changes when the model's weights do."""
    hook_name: str
    words_per_letter: int | None
    device: str


def absorption_config(model: HookedTransformer, **values: Any) -> AbsorptionEvalConfig:
    """Return SAE-Bench's settings, its defaults where none is given."""
    return AbsorptionEvalConfig(llm_dtype=general_utils.dtype_to_str(model.cfg.dtype), **values)


def checked_layer(sae: AnySae, model: HookedTransformer, settings: AbsorptionSettings) -> int:
    """Return the layer after which the SAE reads the residual stream.

    Raises:
        ModelError: the model has no tokenizer.
        SaeError: the SAE is not of a blocks.L.hook_resid_post of the model, or has no W_enc.
        ConfigError: it has fewer latents than are looked at.
    """
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
