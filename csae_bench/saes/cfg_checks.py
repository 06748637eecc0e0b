"""Problems of the values in an SAE's cfg.json, each with key, value and range.

SAELens takes what it finds: a `k` of -4 fails deep in torch, a missing one silently becomes 100,
and an activation function it no longer has becomes ReLU. Imports neither torch nor sae_lens.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from packaging.version import InvalidVersion, Version

from csae_bench.errors import did_you_mean
from csae_bench.saes import architectures
from csae_bench.saes.architectures import architecture_of, k_of
from csae_bench.saes.folder import is_training_form
from csae_bench.saes.wording import shown

MAX_WIDTH = 2**31 - 1

_ACTIVATIONS = ("relu", "topk", "", None)
_NORMALIZATIONS = (
    "none",
    "expected_average_only_in",
    "constant_norm_rescale",
    "layer_norm",
    "covariance_whitening",
)
_DTYPES = ("float32", "float64", "float16", "bfloat16")
_METHODS_OF_METADATA = frozenset({"self", "keys", "values", "items", "get", "to_dict", "from_dict"})
"""Names that an entry of SAELens's SAEMetadata, which sets them as attributes, would overwrite."""


class _Rule(NamedTuple):
    key: str
    is_allowed: Callable[[Any], bool]
    allowed: str


def _is_width(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_WIDTH


def _one_of(*allowed: Any) -> Callable[[Any], bool]:
    return lambda value: any(
        value is one or (value == one and type(value) is type(one)) for one in allowed
    )


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_threshold(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value < math.inf


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 4096 and value.isprintable()


def _is_hook(value: Any) -> bool:
    return (
        isinstance(value, str) and re.fullmatch(r"(?=.*[A-Za-z])[\w.\-/]{1,200}", value) is not None
    )


def _is_version(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(Version(value))
    except InvalidVersion:
        return False


_WIDTH = f"a whole number from 1 to {MAX_WIDTH:,}"
_DTYPE_NAMES = (*_DTYPES, *(f"torch.{name}" for name in _DTYPES))

_REQUIRED = (
    _Rule("d_in", _is_width, _WIDTH),
    _Rule("d_sae", _is_width, _WIDTH),
    _Rule("dtype", _one_of(*_DTYPE_NAMES), f"one of {', '.join(_DTYPES)}"),
)
_OPTIONAL = (
    _Rule("apply_b_dec_to_input", _is_flag, "true or false"),
    _Rule("rescale_acts_by_decoder_norm", _is_flag, "true or false"),
    _Rule("reshape_activations", _one_of("none", "hook_z"), "'none' or 'hook_z'"),
    _Rule("metadata", lambda value: isinstance(value, dict), "an object"),
    _Rule("stop_on_duplicate_support", _is_flag, "true or false"),
    _Rule("residual_threshold", _is_threshold, "a finite number from 0 on"),
    _Rule(
        "max_iterations",
        lambda v: v is None or _is_width(v),
        f"null, or a whole number from 1 to {MAX_WIDTH:,}",
    ),
    _Rule("activation_fn_kwargs", lambda v: v is None or isinstance(v, dict), "an object"),
)
_OF_THE_MODEL = (
    _Rule("model_name", _is_name, "the name of a language model"),
    _Rule("hook_name", _is_hook, "a hook's name, such as 'blocks.2.hook_resid_post'"),
    _Rule("hook_point", _is_hook, "a hook's name, such as 'blocks.2.hook_resid_post'"),
    _Rule("prepend_bos", _is_flag, "true or false"),
    _Rule("training_architecture", _is_name, "a name"),
    _Rule("sae_lens_version", _is_version, "a version, such as '6.54.12'"),
)
"""In cfg or, since SAELens 6, in its metadata; null where it is not known."""


def cfg_problems(cfg: Mapping[str, Any]) -> list[str]:
    """List a sentence, without a full stop, for each value that no SAE can have; empty if sound."""
    return [*dict.fromkeys(_problems(dict(cfg)))]


def _problems(cfg: dict[str, Any]) -> Iterator[str]:
    yield from _architecture(cfg)
    for rule in _REQUIRED:
        if rule.key not in cfg:
            yield f"{rule.key} is missing; it must be {rule.allowed}"
        else:
            yield from _check(rule, cfg[rule.key])
    for rule in _OPTIONAL:
        if rule.key in cfg:
            yield from _check(rule, cfg[rule.key])
    yield from _normalization(cfg)
    yield from _k(cfg)
    yield from _older_activation(cfg)
    metadata = cfg.get("metadata")
    for prefix, place in (("", cfg), ("metadata.", metadata)):
        if not isinstance(place, dict):
            continue
        for rule in _OF_THE_MODEL:
            if place.get(rule.key) is not None:
                yield from _check(rule, place[rule.key], prefix)
    if isinstance(metadata, dict):
        yield from _names_of_metadata(metadata)


def _check(rule: _Rule, value: Any, prefix: str = "") -> Iterator[str]:
    if not rule.is_allowed(value):
        yield f"{prefix}{rule.key} is {shown(value)}; it must be {rule.allowed}"


def _architecture(cfg: dict[str, Any]) -> Iterator[str]:
    name = architecture_of(cfg)
    known = architectures.TRAINING if is_training_form(cfg) else architectures.INFERENCE
    if not isinstance(name, str):
        yield f"architecture is {shown(name)}; it must be one of {', '.join(sorted(known))}"
    elif name not in known and not _is_registered(name, is_training_form(cfg)):
        if name in architectures.TRAINING:
            yield (
                f"architecture is '{name}', which is the name of a training; an SAE that was saved "
                "for inference has architecture 'jumprelu' instead"
            )
            return
        yield (
            f"SAELens knows no architecture {shown(name)}.{did_you_mean(name[:100], known)} "
            f"Available: {', '.join(sorted(known))}"
        )


def _is_registered(name: str, is_training: bool) -> bool:
    """Test whether SAELens has it all the same: a newer version, or one registered by a user."""
    from sae_lens.registry import SAE_CLASS_REGISTRY, SAE_TRAINING_CLASS_REGISTRY

    return name in (SAE_TRAINING_CLASS_REGISTRY if is_training else SAE_CLASS_REGISTRY)


def _normalization(cfg: dict[str, Any]) -> Iterator[str]:
    value = cfg.get("normalize_activations")
    # before version 6 a flag, or null
    if value is not None and not _is_flag(value) and value not in _NORMALIZATIONS:
        yield (
            f"normalize_activations is {shown(value)}; it must be one of "
            f"{', '.join(_NORMALIZATIONS)}"
        )


def _k(cfg: dict[str, Any]) -> Iterator[str]:
    name, k, d_sae = architecture_of(cfg), k_of(cfg), cfg.get("d_sae")
    if not isinstance(name, str):
        return
    most, limit = MAX_WIDTH, f"{MAX_WIDTH:,}"
    if isinstance(d_sae, int) and _is_width(d_sae):
        most, limit = d_sae, f"d_sae={d_sae}"
    if name in architectures.CHOOSES_K:
        if k is None and "k" not in cfg:
            yield f"k is missing; it must be a whole number from 1 to {limit}"
        elif type(k) is not int or not 1 <= k <= most:
            yield f"k is {shown(k)}; it must be a whole number from 1 to {limit}"
    elif name in architectures.CHOOSES_K_ON_AVERAGE and is_training_form(cfg):
        is_number = isinstance(k, int | float) and not isinstance(k, bool)
        if not is_number or not math.isfinite(k) or not 0 < k <= most:
            yield f"k is {shown(k)}; it must be a number above 0 and at most {limit}"


def _older_activation(cfg: dict[str, Any]) -> Iterator[str]:
    for key in ("activation_fn_str", "activation_fn"):
        value = cfg.get(key)
        if not _one_of(*_ACTIVATIONS)(value):
            yield (
                f"{key} is {shown(value)}; SAELens has had 'relu' and 'topk' alone since version "
                "6, and would compute ReLU without a word"
            )
    settings = cfg.get("activation_fn_kwargs")
    if isinstance(settings, dict) and settings.get("signed"):
        yield (
            "activation_fn_kwargs.signed is true; SAELens has had no signed TopK since version 6, "
            "and would clip negative codes without a word"
        )


def _names_of_metadata(metadata: dict[str, Any]) -> Iterator[str]:
    for name in metadata:
        if name in _METHODS_OF_METADATA or name.startswith("__"):
            yield f"metadata holds {shown(name)}, a name that SAELens keeps for itself; remove it"
