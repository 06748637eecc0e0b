"""Versions on which a result depends, and an SAE's configuration as JSON."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from csae_bench.saes.attributes import AnySae

_DISTRIBUTIONS = ("csae-bench", "sae-bench", "sae-lens", "torch", "transformer-lens")


def versions() -> dict[str, str]:
    """Return the installed versions by module name, read without importing anything.

    SAE-Bench's own `sae_bench_commit_hash` is the commit of whatever repository the process
    happens to run in; the package's version says what ran.
    """
    return {name.replace("-", "_"): _version(name) for name in _DISTRIBUTIONS}


def sae_cfg_dict(sae: AnySae) -> dict[str, Any]:
    """Return the config as SAE-Bench writes it, JSON-safe; the SAE is not changed.

    SAE-Bench adds what it derives, such as metadata.hook_layer, where hook and model are known.
    """
    from sae_bench.sae_bench_utils import general_utils

    from csae_bench.saes import attributes

    names = attributes.metadata(sae, "hook_name"), attributes.metadata(sae, "model_name")
    if not callable(getattr(attributes.config(sae), "to_dict", None)) or None in names:
        return _json_safe(attributes.config_dict(sae))
    cfg: Any = copy.deepcopy(attributes.config(sae))
    general_utils._standardize_sae_cfg(cfg)  # pyright: ignore[reportPrivateUsage]
    return _json_safe(cfg.to_dict())


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def _json_safe(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json_safe(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json_safe(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
