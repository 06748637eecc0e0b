"""Names and hashes: what a run is called, and what decides whether two are the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from csae_bench.config import GeneratorActivations, ResolvedConfig
from csae_bench.errors import UsageError

TRAINING_VERSION = 1
"""Raised by a change of the code after which the same configuration trains to other weights."""

_NO_EFFECT_ON_WEIGHTS = {
    "threads": None,
    "device": None,
    "evals": None,
    "training": ("log_every", "checkpoint_every", "wandb"),
}


def hook_layer(hook_name: str) -> int:
    """The layer in a hook's name, such as 19 of `blocks.19.hook_resid_post`.

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
    """`<model>_layer_<L>_sae`, the release under which results are filed."""
    return f"{model_name}_layer_{hook_layer(hook_name)}_sae"


def generated_release(activations: GeneratorActivations) -> str:
    """The release of an SAE that was trained on generated activations."""
    return f"generated-d{activations.d_in}_layer_0_sae"


def config_sae_id(resolved: ResolvedConfig) -> str:
    """The configuration's name, 8 hex digits of what --set changed, and a seed other than 0."""
    parts = [resolved.name]
    if resolved.changes:
        changed = {change.key: change.value for change in resolved.changes}
        parts.append(f"-{digest(changed)[:8]}")
    if resolved.config.seed:
        parts.append(f"_seed{resolved.config.seed}")
    return "".join(parts)


def training_hash(resolved: ResolvedConfig, *, model: str, corpus: str, of: str = "") -> str:
    """Hash of everything that decides the trained weights, 16 hex digits.

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
    return digest(
        {
            "config": config,
            "model": model,
            "corpus": corpus,
            "of": of,
            "version": TRAINING_VERSION,
        }
    )[:16]


def digest(value: Mapping[str, Any]) -> str:
    """sha256 of a JSON-able mapping, independent of the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
