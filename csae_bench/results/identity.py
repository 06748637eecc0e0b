"""Names and hashes: the name of a run, and the hash by which two are the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from csae_bench.config import GeneratorActivations, ResolvedConfig
from csae_bench.errors import UsageError
from csae_bench.results.keys import digest

__all__ = [
    "SAE_ID_KEY",
    "TRAINING_VERSION",
    "config_sae_id",
    "decides_weights",
    "digest",
    "generated_release",
    "hook_layer",
    "release",
    "training_hash",
    "training_identity",
]

TRAINING_VERSION = 2
"""Raised by a change of the code after which the same configuration trains to other weights."""

SAE_ID_KEY = "csae_bench_sae_id"
"""Place of an SAE's original name in the metadata of a checkpoint's cfg.json."""

_NO_EFFECT_ON_WEIGHTS = {
    "threads": None,
    "device": None,
    "evals": None,
    "activations": ("cache_gib",),
    "training": ("log_every", "checkpoint_every", "compile_sae", "wandb"),
}


def hook_layer(hook_name: str) -> int:
    """Return the layer in a hook's name, such as 19 of `blocks.19.hook_resid_post`.

    Raises:
        UsageError: the name holds no layer.
    """
    match = re.match(r"blocks\.([0-9]{1,6})\.", hook_name)
    if match is None:
        raise UsageError(
            f"hook_name is '{hook_name}'; it must name a block, such as blocks.2.hook_resid_post."
        )
    return int(match.group(1))


def release(model_name: str, hook_name: str) -> str:
    """Return `<model>_layer_<L>_sae`, the release under which results are filed."""
    return f"{model_name}_layer_{hook_layer(hook_name)}_sae"


def generated_release(activations: GeneratorActivations) -> str:
    """Return the release of an SAE that was trained on generated activations."""
    return f"generated-d{activations.d_in}_layer_0_sae"


def decides_weights(key: str) -> bool:
    """Return whether the value under a dotted key of a configuration affects the weights."""
    section, _, rest = key.partition(".")
    if section not in _NO_EFFECT_ON_WEIGHTS:
        return True
    keys = _NO_EFFECT_ON_WEIGHTS[section]
    return keys is not None and rest.partition(".")[0] not in keys


def config_sae_id(resolved: ResolvedConfig) -> str:
    """Return the configuration's name, 8 hex digits of the change, and a seed other than 0.

    The change is what --set changed, as far as it decides the weights.
    """
    changed = {
        change.key: change.value for change in resolved.changes if decides_weights(change.key)
    }
    parts = [resolved.name]
    if changed:
        parts.append(f"-{digest(changed)[:8]}")
    if resolved.config.seed:
        parts.append(f"_seed{resolved.config.seed}")
    return "".join(parts)


def training_identity(
    resolved: ResolvedConfig, *, model: str, corpus: str, of: str = ""
) -> dict[str, Any]:
    """Return everything that decides the trained weights.

    Args:
        model: fingerprint of the language model's weights.
        corpus: fingerprint of the text.
        of: hash of the other SAE that a control is made from.
    """
    config = resolved.config.model_dump(mode="json")
    for section, keys in _NO_EFFECT_ON_WEIGHTS.items():
        if keys is None:
            config.pop(section)
        else:
            config[section] = {k: v for k, v in config[section].items() if k not in keys}
    _leave_out_additions(config)
    return {
        "config": config,
        "model": model,
        "corpus": corpus,
        "of": of,
        "version": TRAINING_VERSION,
    }


def _leave_out_additions(config: dict[str, Any]) -> None:
    """Leave out settings newer than the first hashes where they change nothing, so that SAEs that
    were trained without them keep their hash.
    """
    pairs = config["pairs"]
    if not pairs["minimal"]["weight"]:
        del pairs["minimal"]
    kinds = [kind for kind in pairs.values() if isinstance(kind, dict)]
    terms = config["sae"].get("losses", {}).values()
    added = [(kind, "shuffled", False) for kind in kinds]
    added += [(kind, "n_pairs", None) for kind in kinds]
    added += [(term, "minimal_negatives", False) for term in terms]
    for settings, name, default in added:
        if name in settings and settings[name] is default:
            del settings[name]


def training_hash(identity: Mapping[str, Any]) -> str:
    """Return the hash of a `training_identity`, 16 hex digits."""
    return digest(identity)[:16]
