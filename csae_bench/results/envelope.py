"""An eval's result as an SAE-Bench `eval_result` JSON."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, ConfigDict


class Provenance(BaseModel):
    """Provenance of a result, in `eval_result_unstructured.provenance`."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    key: str
    """Hash of all that decides the numbers; an equal key means there is nothing to do."""
    weights_hash: str
    training_hash: str | None
    model: str | None
    """None for an SAE on generated activations."""
    model_fingerprint: str | None = None
    """Hash of the model's weights; of a hub model, its name."""
    hook_name: str | None
    training_architecture: str
    seed: int
    device: str
    config: dict[str, Any]
    """The run's resolved configuration."""
    eval_settings: dict[str, Any]
    conditions: dict[str, Any] = {}
    """Conditions on which the numbers depend besides weights and versions, see `slots`."""
    variant: str | None = None
    """8 hex digits of a result under other conditions than the SAE's first."""
    differs: dict[str, Any] = {}
    """Dotted condition -> its value here, of those that differ from the first result's."""
    versions: dict[str, str]
    wall_seconds: float
    peak_memory_gib: float


def eval_result(
    *,
    eval_name: str,
    eval_config: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, float | int | None]],
    details: list[Mapping[str, Any]],
    unstructured: Mapping[str, Any],
    release: str,
    sae_id: str,
    sae_cfg: Mapping[str, Any],
    provenance: Provenance,
) -> dict[str, Any]:
    """Return the whole JSON, in SAE-Bench's layout."""
    versions = provenance.versions
    return {
        "eval_type_id": eval_name,
        "eval_config": dict(eval_config),
        "eval_id": str(uuid.uuid4()),
        "datetime_epoch_millis": int(time.time() * 1000),
        "eval_result_metrics": {name: dict(values) for name, values in metrics.items()},
        "eval_result_details": [dict(detail) for detail in details],
        # SAE-Bench puts the commit of the current folder here, whatever that is; this is its own.
        "sae_bench_commit_hash": f"release {versions.get('sae_bench', 'unknown')}",
        "sae_lens_id": sae_id,
        "sae_lens_release_id": release,
        "sae_lens_version": versions.get("sae_lens", "unknown"),
        "sae_cfg_dict": dict(sae_cfg),
        "eval_result_unstructured": {
            **unstructured,
            "provenance": provenance.model_dump(mode="json"),
        },
    }


def not_finite(value: Any, place: str = "") -> list[str]:
    """Return the dotted places of NaN and infinity in a nested value; JSON has neither."""
    if isinstance(value, float):
        return [] if math.isfinite(value) else [place]
    if isinstance(value, Mapping):
        items = [(str(key), inner) for key, inner in cast(Mapping[Any, Any], value).items()]
    elif isinstance(value, list | tuple):
        items = [(str(i), inner) for i, inner in enumerate(cast(list[Any], value))]
    else:
        return []
    return [
        each for key, inner in items for each in not_finite(inner, f"{place}.{key}".lstrip("."))
    ]


def value_at(result: Mapping[str, Any], place: str) -> float | None:
    """Return the number at a dotted place of a result, or None."""
    value: Any = result
    for part in place.split("."):
        value = cast(Mapping[str, Any], value).get(part) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) else None
