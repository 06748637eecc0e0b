"""Names of an SAE: its family, its seed and its sparsity curve."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from csae_bench.comparison.model import Family
from csae_bench.comparison.reading.values import mapping

SPARSITY_KEYS = (
    ("sae", "k"),
    ("sae", "n_components"),
    ("sae", "l1_coefficient"),
    ("sae", "l0_coefficient"),
    ("sae", "target_l0"),
    ("training", "hold_l0", "target"),
)
"""Keys of our configurations that set an SAE's sparsity."""

WITHOUT_EFFECT = (
    ("seed",),
    ("device",),
    ("threads",),
    ("evals",),
    ("activations", "cache_gib"),
    ("training", "log_every"),
    ("training", "checkpoint_every"),
    ("training", "wandb"),
)
"""Further keys that may differ along a curve: the seed, and keys that do not affect the weights."""

EVERY_OBJECT = "custom_sae"
"""The id that SAE-Bench gives to every SAE that is passed to it as an object."""

_SEED = re.compile(r"_seed(\d{1,10})$")
# the lookbehind: a search that starts within a run of separators would make the whole quadratic
_SPARSITY = re.compile(
    r"(?<![_-])[_-]*(?:trainer|average_l0|l0|k|seed)[_-]?\d+(?:\.\d+)?(?=$|[/_-])", re.I
)
_HASH = re.compile(r"-[0-9a-f]{8}$")
_VARIANT = re.compile(r"[0-9a-f]{8}")


MAX_NAME = 1000
"""Characters of a name; it becomes part of a file's name, which has 255 at most."""


class Names(NamedTuple):
    """Names of an SAE."""

    family: Family
    sae_id: str
    seed: int | None
    curve: str
    architecture: str | None
    d_sae: int | None


def names_of_result(result: Mapping[str, Any], path: Path) -> Names:
    """Return the names of a result's SAE, from its provenance or else from its names."""
    provenance = mapping(mapping(result.get("eval_result_unstructured")).get("provenance"))
    cfg = mapping(result.get("sae_cfg_dict"))
    release = _text(result.get("sae_lens_release_id")) or ""
    sae_id = _sae_id(result, path, release)
    return _names(
        release=release,
        sae_id=sae_id,
        config=mapping(provenance.get("config")),
        is_ours=isinstance(provenance.get("training_hash"), str),
        architecture=_text(provenance.get("training_architecture")) or _architecture(cfg),
        d_sae=_count(cfg.get("d_sae")),
    )


def overlong(value: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    """Say which of the names is longer than possible, as the start of a sentence; None if none."""
    for key in keys:
        name = value.get(key)
        if isinstance(name, str) and len(name) > MAX_NAME:
            return f"{key} has {len(name)} characters; a name has at most {MAX_NAME}"
    return None


def variant_of(result: Mapping[str, Any]) -> str:
    """Return the 8 hex digits of a further result of its SAE and eval; empty for any other."""
    provenance = mapping(mapping(result.get("eval_result_unstructured")).get("provenance"))
    variant = provenance.get("variant")
    return variant if isinstance(variant, str) and _VARIANT.fullmatch(variant) else ""


def names_of_record(record: Mapping[str, Any]) -> Names:
    """Return the names of a run record's SAE."""
    config = mapping(record.get("config"))
    return _names(
        release=str(record["release"]),
        sae_id=str(record["sae_id"]),
        config=config,
        is_ours=isinstance(record.get("training_hash"), str),
        architecture=_text(record.get("training_architecture"))
        or _text(mapping(config.get("sae")).get("architecture")),
        d_sae=_count(record.get("d_sae")) or _count(mapping(config.get("sae")).get("d_sae")),
    )


def _names(
    *,
    release: str,
    sae_id: str,
    config: Mapping[str, Any],
    is_ours: bool,
    architecture: str | None,
    d_sae: int | None,
) -> Names:
    """Return the names; `is_ours`: `config` made the weights, and did not only evaluate them."""
    named = _SEED.search(sae_id)
    seed = int(named[1]) if named else None
    if is_ours:
        seed = _count(config.get("seed"), least=0)
    return Names(
        family=Family(release, _SEED.sub("", sae_id)),
        sae_id=sae_id,
        seed=seed,
        curve=_curve_of_config(release, config)
        if is_ours
        else _curve_of_names(release, sae_id, architecture, d_sae),
        architecture=architecture,
        d_sae=d_sae,
    )


def _sae_id(result: Mapping[str, Any], path: Path, release: str) -> str:
    """Return the id in the file, or the file's own name if that says more."""
    sae_id = _text(result.get("sae_lens_id"))
    stem = path.stem.removesuffix("_eval_results")
    if variant := variant_of(result):
        stem = stem.removesuffix(f"_{variant}")
    if sae_id is not None and sae_id != EVERY_OBJECT:
        return sae_id
    if sae_id is not None and stem == f"{release}_{sae_id}".replace("/", "_"):
        return sae_id
    name = stem.removesuffix(f"_{result.get('eval_type_id')}")
    return name.removeprefix(f"{release}_".replace("/", "_")) or path.stem


def _curve_of_config(release: str, config: Mapping[str, Any]) -> str:
    """Return `<release> <architecture> d_sae=<n> <hash>`, the hash of all but sparsity and seed."""
    kept = dict(config)
    for keys in (*SPARSITY_KEYS, *WITHOUT_EFFECT):
        kept = _without(kept, keys)
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    sae = mapping(config.get("sae"))
    return _joined(release, _text(sae.get("architecture")), _count(sae.get("d_sae")), digest)


def _curve_of_names(release: str, sae_id: str, architecture: str | None, d_sae: int | None) -> str:
    """Release and id without what tells sparsity or seed, then architecture and width."""
    names = (_SPARSITY.sub("", name) for name in (release, _HASH.sub("", sae_id)))
    return _joined(" ".join(name for name in names if name), architecture, d_sae)


def _joined(name: str, architecture: str | None, d_sae: int | None, digest: str = "") -> str:
    width = None if d_sae is None else f"d_sae={d_sae}"
    return " ".join(part for part in (name, architecture, width, digest) if part)


def _without(value: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return a copy of the object without the entry at the end of `keys`."""
    first, *rest = keys
    if not rest:
        return {key: inner for key, inner in value.items() if key != first}
    if not isinstance(value.get(first), dict):
        return value
    return {**value, first: _without(value[first], tuple(rest))}


def _architecture(cfg: Mapping[str, Any]) -> str | None:
    """Return the trained architecture, if the config has it; BatchTopK is JumpReLU at inference."""
    trained = _text(mapping(cfg.get("metadata")).get("training_architecture"))
    return (trained or _text(cfg.get("architecture")) or "")[:MAX_NAME] or None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: Any, least: int = 1) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count and least <= value < 2**63 else None
