"""Names from before 0.1.0, still read for one version: configurations, values, results."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any


class OldNameWarning(FutureWarning):
    """An old name was used; it will be gone in the next version."""


OLD_VALUES: Mapping[str, Mapping[str, str]] = {
    "dataset": {"embedded": "tinyworld"},
    "dataset_name": {"embedded": "tinyworld"},
    "dataset_path": {"embedded": "tinyworld"},
    "factors": {"embedded": "tinyworld"},
    "data": {"embedded": "tinyworld"},
    "split": {"reserved": "test"},
    "architecture": {"ideal": "oracle"},
}
"""Key -> its old values and what they are called now."""

STREAM_OF_SPLIT = {"train": "train", "test": "reserved"}
"""Names of splits in the seeds of random streams, kept so that the numbers do not change."""

OLD_KEYS = {"n_frames": "n_templates"}
"""Keys of results and run records."""

OLD_METRICS = {"tied_latents": "assigned_latents", "covered_values": "value_coverage"}
"""Metrics, whose names begin those of the values next to them, such as `tied_latents_p`."""

OLD_COLUMNS = {"frame": "template"}
"""Columns of files with factors."""

_LEVELS = 8

_OLD_CONFIGS = {"ideal": "oracle", "_embedded": "_tinyworld", "_seed": "_original"}
_OLD_RUN = re.compile(r"seed_run_(\d\w*)")
_OLD_METRIC = re.compile(rf"\b({'|'.join(OLD_METRICS)})(?=$|_|\b)")
_OLD_SAE_ID = re.compile(r"ideal(?=$|-|_seed)")


def config_name(name: str) -> str:
    """Return what a configuration is called now; a new name stays as it is."""
    return _OLD_CONFIGS.get(name) or _OLD_RUN.sub(r"original_run_\1", name)


def sae_id(name: str) -> str:
    """Return the id that an SAE of a configuration has now, such as `oracle_seed1`."""
    return _OLD_SAE_ID.sub("oracle", _OLD_RUN.sub(r"original_run_\1", name))


def metric_name(name: str) -> str:
    """Return what a metric, a value next to it, or a pattern of either is called now."""
    return _OLD_METRIC.sub(lambda old: OLD_METRICS[old[1]], name)


def metric_pattern(pattern: str, place: str) -> str:
    """Return what a user's metric or glob is called now, an old name warned of."""
    new = metric_name(pattern)
    if new != pattern:
        warn(pattern, new, f"{place}: ")
    return new


def value_of(key: str, old: Any) -> Any:
    """Return what a value of this key is called now."""
    return OLD_VALUES.get(key, {}).get(old, old) if isinstance(old, str) else old


def column(name: str) -> str:
    """Return what a column is called now."""
    return OLD_COLUMNS.get(name, name)


def renamed(raw: Any) -> Any:
    """Return nested mappings with the new names of all values, each old one warned of."""
    if not isinstance(raw, dict):
        return raw
    new_values: dict[Any, Any] = {}
    for key, old in raw.items():
        new = value_of(str(key), old)
        if new != old:
            warn(str(old), str(new), f"{key}: ")
        new_values[key] = renamed(new)
    return new_values


def of_result(value: Any, key: str = "", levels: int = _LEVELS) -> Any:
    """Return a stored result or run record with the new names of its keys and values.

    Details and what is deeper than `levels` stay: nothing that is compared has an old name there.
    """
    if isinstance(value, dict):
        if levels == 0 or key == "eval_result_details":
            return value
        return {
            OLD_KEYS.get(name, metric_name(name)): of_result(inner, name, levels - 1)
            for name, inner in value.items()
        }
    if key in ("sae_id", "sae_lens_id") and isinstance(value, str):
        return sae_id(value)
    return value_of(key, value)


def warn(old: str, new: str, place: str = "") -> None:
    """Say that an old name was used."""
    message = f"{place}'{old}' is called '{new}' now; the old name will be gone in 0.2."
    warnings.warn(message, OldNameWarning, stacklevel=2)
