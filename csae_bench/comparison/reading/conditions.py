"""Conditions under which a result's values were measured, as far as its file says."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from csae_bench.comparison.model import Condition
from csae_bench.comparison.reading.values import mapping, number

VERSION = "sae_bench_version"
DEFINITION = "metric_definition."
"""Followed by the metric: the settings that its score is stored with, as JSON."""
SETTINGS = "settings"
"""Followed by the dotted key of a setting of ours."""
CONFIG = "eval_config."
DATA = "data."
"""Followed by a count of the data, or `fingerprint`; older and published results lack these, and
that is no mismatch, since the dataset's name is compared anyway."""

JUDGE = "judge"
"""Who judges latents; a published result does not say it."""

SHUFFLED = "shuffled"
"""Whether every sample has the factors of another one, as a control."""

NO_EFFECT = frozenset(
    {
        "artifact_dir",
        "eval_k_sparse_probe_batch_size",
        "force_dataset_recompute",
        "include_llm_baseline",
        "k_values",
        "ks",
        "llm_batch_size",
        "lower_vram_usage",
        "model_cache_path",
        "n_values",
        "precalc_k_sparse_probe_sae_acts",
        "probe_test_batch_size",
        "results_path",
        "sae_batch_size",
        "save_metrics",
        "verbose",
    }
)
"""Fields of SAE-Bench's eval_config that change no number, except `compute_*`: what to compute,
in what portions, and where it is kept."""

ASKED_FOR = tuple(f"{CONFIG}{name}" for name in ("k_values", "ks", "n_values"))
"""Settings that say which metrics there are: they change no number, but two results that differ in
them have other numbers."""

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "model": ("model_name", "model"),
    "dtype": ("llm_dtype",),
    "dataset": ("dataset", "dataset_name", "dataset_names"),
    "context_size": ("context_size", "context_length", "llm_context_size"),
}
"""Condition -> what SAE-Bench's evals call it in their eval_config."""

_MAX_TEXT = 10_000
"""Characters of a condition that are kept."""
_HOOK = re.compile(r"blocks\.\d+\.(?:[a-z]+\.)?hook(?:_[a-z]+)+")
_OF_DATA = ("fingerprint", "n", "n_factors", "n_templates", "n_truncated", "n_distinct_sequences")
_LEGACY = "a mean of ratios, one for each token"
_POOLED = "one ratio of means"


def conditions_of(result: Mapping[str, Any]) -> dict[str, Condition]:
    """Return the conditions of a result besides the SAE, as far as the file says."""
    unstructured = mapping(result.get("eval_result_unstructured"))
    provenance = mapping(unstructured.get("provenance"))
    eval_config = mapping(result.get("eval_config"))
    conditions: dict[str, Any] = {
        **_named(eval_config),
        **_of_provenance(provenance),
        **_hook(result),
        VERSION: _version(result, provenance),
    }
    settings = mapping(unstructured.get("settings"))
    data = mapping(unstructured.get("data"))
    if settings:
        conditions |= {name: data.get(name) for name in ("split", "pooling")}
        conditions |= {"dataset": data.get("factors"), f"{CONFIG}seed": eval_config.get("seed")}
        conditions |= {f"{DEFINITION}{name}": _definition(of) for name, of in settings.items()}
        conditions[SHUFFLED] = data.get("is_shuffled") or None
    else:
        conditions |= _settings(eval_config)
    if result.get("eval_type_id") == "core":
        conditions |= _of_core(result, eval_config)
    conditions |= {f"{DATA}{name}": data.get(name) for name in _OF_DATA}
    conditions[JUDGE] = unstructured.get("judge")
    if conditions.get("dtype") is not None:
        conditions["dtype"] = str(conditions["dtype"]).removeprefix("torch.")
    return {name: _scalar(value) for name, value in conditions.items() if value is not None}


def same_model(a: Condition, b: Condition) -> bool:
    """Compare names; `gemma-2-2b` may be anybody's, `google/gemma-2-2b` is Google's."""
    if a == b or not isinstance(a, str) or not isinstance(b, str):
        return a == b
    return ("/" not in a or "/" not in b) and a.rsplit("/", 1)[-1] == b.rsplit("/", 1)[-1]


def settings_of(result: Mapping[str, Any]) -> dict[str, Condition]:
    """Return all settings of one of our results: `settings.<dotted key>` -> value.

    Of another result those of `ASKED_FOR`, as the rest is among its conditions.
    """
    unstructured = mapping(result.get("eval_result_unstructured"))
    ours = _flat(mapping(unstructured.get("provenance")).get("eval_settings"), SETTINGS)
    if ours:
        return ours
    values = {key: mapping(result.get("eval_config")).get(key.removeprefix(CONFIG))
              for key in ASKED_FOR}  # fmt: skip
    return {key: _scalar(value) for key, value in values.items() if value is not None}


def differs_of(result: Mapping[str, Any]) -> dict[str, Condition]:
    """Return the conditions in which a further result of ours differs from the first one."""
    unstructured = mapping(result.get("eval_result_unstructured"))
    differs = mapping(mapping(unstructured.get("provenance")).get("differs"))
    return {name: None if value is None else _scalar(value) for name, value in differs.items()}


def eval_seed_of(result: Mapping[str, Any]) -> int:
    """Return which repetition of its eval a result of ours is; 0 for any other."""
    unstructured = mapping(result.get("eval_result_unstructured"))
    seed = mapping(mapping(unstructured.get("provenance")).get("conditions")).get("eval_seed")
    return seed if isinstance(seed, int) and not isinstance(seed, bool) and seed > 0 else 0


def _flat(value: Any, name: str) -> dict[str, Condition]:
    if not isinstance(value, dict):
        return {} if value is None else {name: _scalar(value)}
    flat: dict[str, Condition] = {}
    for key, inner in mapping(value).items():
        flat |= _flat(inner, f"{name}.{key}")
    return flat


def _named(eval_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the conditions that every eval has, by one name each."""
    named: dict[str, Any] = {}
    for name, aliases in _ALIASES.items():
        values = (eval_config.get(alias) for alias in aliases)
        named[name] = next((value for value in values if value not in (None, "")), None)
    return named


def _of_provenance(provenance: Mapping[str, Any]) -> dict[str, Any]:
    known = {
        "model": provenance.get("model"),
        "hook_name": provenance.get("hook_name"),
        "dtype": mapping(provenance.get("config")).get("model_dtype"),
    }
    return {name: value for name, value in known.items() if value is not None}


def _hook(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return it from the config, which SAELens changed in version 6; else from the id."""
    cfg = mapping(result.get("sae_cfg_dict"))
    for place in (mapping(cfg.get("metadata")), cfg):
        if isinstance(place.get("hook_name"), str):
            return {"hook_name": place["hook_name"]}
    named = _HOOK.search(str(result.get("sae_lens_id")))
    return {"hook_name": named[0]} if named else {}


def _settings(eval_config: Mapping[str, Any]) -> dict[str, Any]:
    skipped = {*NO_EFFECT, *(alias for aliases in _ALIASES.values() for alias in aliases)}
    return {
        f"{CONFIG}{name}": value
        for name, value in eval_config.items()
        if name not in skipped and not name.startswith("compute_")
    }


def _of_core(result: Mapping[str, Any], eval_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return batches as sequences, as a halved batch doubles their number; and the formula used."""
    conditions: dict[str, Any] = {}
    batch_size = number(eval_config.get("batch_size_prompts"))
    for phase in ("reconstruction", "sparsity_variance"):
        key = f"n_eval_{phase}_batches"
        n_batches = number(eval_config.get(key))
        conditions[f"{CONFIG}{key}"] = None
        if batch_size is not None and n_batches is not None:
            conditions[f"{CONFIG}n_eval_{phase}_sequences"] = batch_size * n_batches
    quality = mapping(mapping(result.get("eval_result_metrics")).get("reconstruction_quality"))
    if "explained_variance" in quality:
        is_new = "explained_variance_legacy" in quality
        conditions[f"{DEFINITION}explained_variance"] = _POOLED if is_new else _LEGACY
    return conditions


def _definition(settings: Any) -> Any:
    """Return a score's settings, without those of its accompanying values."""
    if not isinstance(settings, dict):
        return settings
    return {key: value for key, value in settings.items() if key not in ("interval", "held_out")}


def _version(result: Mapping[str, Any], provenance: Mapping[str, Any]) -> str | None:
    """Return SAE-Bench's version, or the commit that it ran at; two commits may be one version."""
    version = mapping(provenance.get("versions")).get("sae_bench")
    if isinstance(version, str) and version != "unknown":
        return version
    commit = result.get("sae_bench_commit_hash")
    if not isinstance(commit, str) or not commit or commit.lower() == "unknown":
        return None
    return commit.removeprefix("release ") if commit.startswith("release ") else f"commit {commit}"


def _scalar(value: Any) -> Condition:
    """Return the value as it is; lists, objects and NaN as JSON: equal ones give equal texts.

    Of a text that is very long, the beginning and a digest.
    """
    if isinstance(value, int) or number(value) is not None:
        return value
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if len(text) <= _MAX_TEXT:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[:_MAX_TEXT]}... {digest[:16]}"
