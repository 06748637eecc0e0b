"""SAEs of dictionary_learning 0.1.0: config.json and ae.pt, the state_dict of its class.

The classes stand in its dictionary.py and trainers/*.py. `trainSAE` divides activations by a norm
if it is asked to, and folds that into the biases before it saves, so that ae.pt reads activations
as they are. The file is read with torch's weights_only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from csae_bench.errors import SaeError, did_you_mean
from csae_bench.saes.foreign.converting import check_fit, converted, header_of, layout_misfits
from csae_bench.saes.foreign.form import (
    Form,
    Layout,
    Part,
    Reading,
    entries,
    is_count,
    json_object,
    metadata_of,
)
from csae_bench.saes.foreign.torch_files import archive_problems, read_state_dict
from csae_bench.saes.kinds import refusal
from csae_bench.saes.wording import shown

if TYPE_CHECKING:
    from torch import Tensor

CONFIG, WEIGHTS = "config.json", "ae.pt"


class _Class(NamedTuple):
    """One of the library's classes."""

    architecture: str
    """SAELens's, which computes the same."""
    trained_as: str
    layout: Layout
    subtracts_bias: bool = True
    """Whether it encodes x - b_dec."""
    ignored: tuple[str, ...] = ()
    """Tensors without effect on its codes."""


_IN, _SAE, _ENC, _DEC = ("d_in",), ("d_sae",), ("d_in", "d_sae"), ("d_sae", "d_in")
_LINEAR: Layout = {  # torch's nn.Linear keeps [out, in]
    "encoder.weight": Part("W_enc", _DEC),
    "decoder.weight": Part("W_dec", _ENC),
}
_BIASED: Layout = {**_LINEAR, "encoder.bias": Part("b_enc", _SAE)}
_TOPK: Layout = {**_BIASED, "b_dec": Part("b_dec", _IN)}
_AFFINE: Layout = {
    "W_enc": Part("W_enc", _ENC),
    "b_enc": Part("b_enc", _SAE),
    "W_dec": Part("W_dec", _DEC),
    "b_dec": Part("b_dec", _IN),
}
_ONE_THRESHOLD: Layout = {"threshold": Part("threshold", ())}

CLASSES: Mapping[str, _Class] = {
    "AutoEncoder": _Class("standard", "standard", {**_BIASED, "bias": Part("b_dec", _IN)}),
    "AutoEncoderNew": _Class(
        "standard",
        "standard",
        {**_BIASED, "decoder.bias": Part("b_dec", _IN)},
        subtracts_bias=False,
    ),
    "AutoEncoderTopK": _Class("topk", "topk", _TOPK, ignored=("k", "threshold")),
    "BatchTopKSAE": _Class("jumprelu", "batchtopk", {**_TOPK, **_ONE_THRESHOLD}, ignored=("k",)),
    "MatryoshkaBatchTopKSAE": _Class(
        "jumprelu",
        "matryoshka_batchtopk",
        {**_AFFINE, **_ONE_THRESHOLD},
        ignored=("k", "group_sizes"),
    ),
    "JumpReluAutoEncoder": _Class(
        "jumprelu",
        "jumprelu",
        {**_AFFINE, "threshold": Part("threshold", _SAE)},
        subtracts_bias=False,
    ),
    "GatedAutoEncoder": _Class(
        "gated",
        "gated",
        {
            **_LINEAR,
            "decoder_bias": Part("b_dec", _IN),
            "r_mag": Part("r_mag", _SAE),
            "gate_bias": Part("b_gate", _SAE),
            "mag_bias": Part("b_mag", _SAE),
        },
    ),
}
"""The library's class -> what it is here."""

_SCALINGS = ("norm_factor", "normalize_activations", "activation_norm_factor")
_SUBMODULE = re.compile(r"resid_post_layer_(\d{1,4})")
_KEYS = frozenset({"trainer_class", "dict_class", "activation_dim", "dict_size"})


def _recognises(place: Path) -> bool:
    if not place.is_dir():
        return False
    if WEIGHTS in entries(place):
        return True
    trainer = (json_object(place / CONFIG) or {}).get("trainer")
    return isinstance(trainer, Mapping) and bool(_KEYS & trainer.keys())


def _files(place: Path) -> tuple[Path, ...]:
    return place / WEIGHTS, place / CONFIG


def _read(place: Path) -> Reading:
    path = place / CONFIG
    config = json_object(path) or {}
    trainer = config.get("trainer")
    if not isinstance(trainer, Mapping):
        sentence = f"{path} is missing or no JSON object with `trainer`; dictionary_learning keeps "
        return Reading(problems=[f"{sentence}its settings there."])
    problems = [f"{path}: {problem}." for problem in _problems(config, trainer)]
    d_in, d_sae = trainer.get("activation_dim"), trainer.get("dict_size")
    try:
        # float64 at most: two matrices and a few vectors
        at_most = 16 * (d_in + 3) * (d_sae + 3) if is_count(d_in) and is_count(d_sae) else 2**62
        problems += archive_problems(place / WEIGHTS, at_most=at_most)
    except FileNotFoundError:
        problems.append(
            f"{place / WEIGHTS} is missing; dictionary_learning keeps the weights there."
        )
    if problems:
        return Reading(problems=problems)
    kind = CLASSES[trainer["dict_class"]]
    cfg = {
        "architecture": kind.architecture,
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",  # from_pretrained copies into it
        "apply_b_dec_to_input": kind.subtracts_bias,
        "normalize_activations": "none",
        "metadata": metadata_of(
            FORM.name,
            kind.trained_as,
            hook_name=_hook_name(config, trainer),
            model_name=_model_name(trainer),
            dict_class=trainer["dict_class"],
        ),
    }
    if kind.architecture == "topk":
        cfg |= {"k": trainer["k"], "rescale_acts_by_decoder_norm": False}
    return Reading(cfg=cfg)


def _problems(config: Mapping[str, Any], trainer: Mapping[str, Any]) -> Iterator[str]:
    name = trainer.get("dict_class")
    kind = f"{name} {trainer.get('trainer_class')}".lower()
    if "crosscoder" in kind or "transcoder" in kind:
        yield refusal({"architecture": kind}) or kind
    elif not isinstance(name, str) or name not in CLASSES:
        near = did_you_mean(name[:100], CLASSES) if isinstance(name, str) else ""
        yield f"trainer.dict_class is {shown(name)}.{near} Available: {', '.join(CLASSES)}"
    for key in ("activation_dim", "dict_size"):
        if not is_count(trainer.get(key)):
            yield f"trainer.{key} is {shown(trainer.get(key))}; it must be a whole number from 1 on"
    k, width = trainer.get("k"), trainer.get("dict_size")
    needs_k = name == "AutoEncoderTopK"
    if (needs_k or k is not None) and not (is_count(k) and k <= (width if is_count(width) else k)):
        yield f"trainer.k is {shown(k)}; it must be a whole number above 0 and at most dict_size"
    yield from _scaled(config, trainer)


def _scaled(config: Mapping[str, Any], trainer: Mapping[str, Any]) -> Iterator[str]:
    """Report a scaling of which it is not known whether the weights contain it."""
    buffer = config.get("buffer")
    places = {"": config, "trainer.": trainer, "buffer.": buffer}
    for prefix, place in places.items():
        for key in _SCALINGS:
            value = place.get(key) if isinstance(place, Mapping) else None
            if value is True or value not in (None, False, 1):  # true equals 1
                yield (
                    f"{prefix}{key} is {shown(value)}, which dictionary_learning 0.1.0 never "
                    f"writes: whether {WEIGHTS} contains this scaling of the activations is not "
                    "known. Remove the key if the weights read activations as they are"
                )
    if isinstance(buffer, Mapping) and buffer.get("io") == "in_and_out":
        yield (
            "buffer.io is 'in_and_out': it reads a module's input and reconstructs its output; "
            "csae-bench judges SAEs that reconstruct the activation they read, at the same hook"
        )


def _hook_name(config: Mapping[str, Any], trainer: Mapping[str, Any]) -> str | None:
    name, layer = trainer.get("submodule_name"), trainer.get("layer")
    block = _SUBMODULE.fullmatch(name) if isinstance(name, str) else None
    buffer = config.get("buffer")
    reads_output = not isinstance(buffer, Mapping) or buffer.get("io", "out") == "out"
    if block is None or not reads_output or (layer is not None and layer != int(block[1])):
        return None
    return f"blocks.{int(block[1])}.hook_resid_post"


def _model_name(trainer: Mapping[str, Any]) -> str | None:
    name = trainer.get("lm_name")
    return name if isinstance(name, str) and name else None


def _tensors(place: Path, cfg: Mapping[str, Any]) -> dict[str, Tensor]:
    kind = CLASSES[cfg["metadata"]["dict_class"]]
    path = place / WEIGHTS
    held = read_state_dict(path)
    misfits = layout_misfits(kind.layout, cfg, header_of(held), ignored=kind.ignored)
    check_fit(path, [*misfits], CONFIG)
    stored = held.get("k")
    if "k" in cfg and stored is not None and stored.tolist() != cfg["k"]:
        raise SaeError(
            f"{path}: its k is {shown(stored.tolist())}, and trainer.k of {CONFIG} is {cfg['k']}; "
            "they must be equal."
        )
    return converted(kind.layout, cfg, held)


FORM = Form(
    name="dictionary_learning",
    recognises=_recognises,
    files=_files,
    read=_read,
    tensors=_tensors,
    says={
        "hook_name": "trainer.submodule_name, where it is resid_post_layer_N",
        "model_name": "trainer.lm_name",
    },
)
