"""A bare .npz or .safetensors file, or a folder with one, that holds an SAE's arrays.

W_enc [d_in, d_sae], W_dec [d_sae, d_in], b_enc [d_sae], b_dec [d_in], and by architecture a
`threshold`, one number or [d_sae]. What else decides the codes stands beside them: in an .npz file
as texts and numbers (0-d arrays), in a .safetensors file in its metadata.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csae_bench.errors import SaeError, did_you_mean
from csae_bench.saes.folder import (
    ARRAY_SUFFIXES,
    CFG_FILENAME,
    WEIGHTS_FILENAME,
    WEIGHTS_OF_FOLDERS,
    is_array_file,
)
from csae_bench.saes.foreign.array_files import ArrayFile, read_array_file, read_arrays
from csae_bench.saes.foreign.converting import (
    check_fit,
    converted,
    dtype_of,
    layout_misfits,
)
from csae_bench.saes.foreign.form import (
    Form,
    Layout,
    Part,
    Reading,
    entries,
    is_count,
    metadata_of,
)
from csae_bench.saes.wording import shown

if TYPE_CHECKING:
    from torch import Tensor

ACTIVATIONS: Mapping[str, str] = {
    "relu": "standard",
    "topk": "topk",
    "abstopk": "abstopk",
    "jumprelu": "jumprelu",
    "batchtopk": "jumprelu",
    "matryoshka_batchtopk": "jumprelu",
}
"""Activation -> SAELens's architecture that computes it. The last two have become a threshold."""

_LAYOUT: Layout = {
    "W_enc": Part("W_enc", ("d_in", "d_sae")),
    "b_enc": Part("b_enc", ("d_sae",)),
    "W_dec": Part("W_dec", ("d_sae", "d_in")),
    "b_dec": Part("b_dec", ("d_in",)),
}
_AXES = "d_in d_sae"
_VALUES = ("activation", "k", "threshold", "apply_b_dec_to_input", "encoder_axes")
_NAMES = ("hook_name", "model_name")
_OF_OTHERS = ("format",)
"""Keys that libraries write into the metadata of a .safetensors file."""
_TRUTH = {"true": True, "false": False}


def _recognises(place: Path) -> bool:
    if not place.is_dir():
        return is_array_file(place)
    names = entries(place)
    return bool(_candidates(names)) and not {CFG_FILENAME, "config.json", WEIGHTS_FILENAME} & {
        *names
    }


def _candidates(names: list[str]) -> list[str]:
    return [
        name
        for name in names
        if Path(name).suffix in ARRAY_SUFFIXES and name not in WEIGHTS_OF_FOLDERS
    ]


def _file(place: Path) -> Path:
    return place / _candidates(entries(place))[0] if place.is_dir() else place


def _files(place: Path) -> tuple[Path, ...]:
    return (_file(place),)


def _read(place: Path) -> Reading:
    if place.is_dir() and len(names := _candidates(entries(place))) > 1:
        some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return Reading(
            problems=[
                f"{place} holds {len(names)} files of bare arrays ({some}); name one of them."
            ]
        )
    path = _file(place)
    try:
        file = _prepared(path)
    except (SaeError, FileNotFoundError) as error:
        missing = isinstance(error, FileNotFoundError)
        return Reading(problems=[f"{path} is missing." if missing else str(error)])
    problems = [*_problems(file)]
    cfg = {} if problems else _cfg(file)
    if not problems:
        problems = [*layout_misfits(_layout(file), cfg, file.arrays)]
        problems += [*_orientation(cfg, file.values)]
    return Reading(cfg=cfg, problems=[f"{path}: {problem}." for problem in problems])


def _prepared(path: Path) -> ArrayFile:
    """Read the file, with texts of numbers and flags as what they say."""
    arrays, values = read_array_file(path)
    # a file of one's own may have single numbers among its arrays, and .safetensors texts alone
    for name, parse in (("k", int), ("threshold", float)):
        if isinstance(values.get(name), str):
            try:
                values[name] = parse(values[name])
            except ValueError:
                continue  # it will be shown as it is
    flag = values.get("apply_b_dec_to_input")
    if isinstance(flag, str):
        values["apply_b_dec_to_input"] = _TRUTH.get(flag.lower(), flag)
    return ArrayFile(arrays, {k: v for k, v in values.items() if k not in _OF_OTHERS})


def _problems(file: ArrayFile) -> Iterator[str]:
    arrays, values = file
    known = (*_VALUES, *_NAMES)
    for name in values:
        if name not in known:
            yield (
                f"it holds {shown(name)}, which nothing here reads.{did_you_mean(name, known)} "
                f"Beside its arrays it may hold {', '.join(known)}"
            )
    activation = values.get("activation")
    if "activation" not in values:
        yield (
            "it says no activation; add one, as a text: activation, one of "
            f"{', '.join(ACTIVATIONS)}, such as numpy.savez(path, **arrays, activation='relu')"
        )
    elif not isinstance(activation, str) or activation not in ACTIVATIONS:
        near = did_you_mean(activation, ACTIVATIONS) if isinstance(activation, str) else ""
        yield f"activation is {shown(activation)}.{near} Available: {', '.join(ACTIVATIONS)}"
    else:
        yield from _of_activation(activation, file)
    flag = values.get("apply_b_dec_to_input", True)
    if not isinstance(flag, bool):
        yield f"apply_b_dec_to_input is {shown(flag)}; it must be true or false"
    for name, size in (("b_enc", "d_sae"), ("b_dec", "d_in")):
        if name in arrays and len(arrays[name].shape) != 1:
            yield f"{name} is {[*arrays[name].shape]}; it must be [{size}]"
    missing = [name for name in _LAYOUT if name not in arrays]
    if missing:
        yield (
            f"Missing key(s) {', '.join(missing)}; it must hold W_enc [d_in, d_sae], W_dec "
            "[d_sae, d_in], b_enc [d_sae] and b_dec [d_in]"
        )


def _of_activation(activation: str, file: ArrayFile) -> Iterator[str]:
    arrays, values = file
    architecture, k, threshold = ACTIVATIONS[activation], values.get("k"), values.get("threshold")
    if architecture in ("topk", "abstopk") and not is_count(k):
        yield f"k is {shown(k)}; activation '{activation}' needs a whole number from 1 on"
    if k is not None and architecture == "standard":
        yield f"k is {shown(k)}, and activation '{activation}' has none"
    has_one = threshold is not None or "threshold" in arrays
    if architecture == "jumprelu" and not has_one:
        yield f"threshold is missing; activation '{activation}' needs one number, or [d_sae]"
    if architecture != "jumprelu" and has_one:
        yield f"it holds a threshold, and activation '{activation}' has none"
    if threshold is not None and (
        isinstance(threshold, bool)
        or not isinstance(threshold, int | float)
        or not math.isfinite(threshold)
    ):
        yield f"threshold is {shown(threshold)}; it must be a finite number"


def _layout(file: ArrayFile) -> Layout:
    if "threshold" not in file.arrays:
        return _LAYOUT
    axes = ("d_sae",) if file.arrays["threshold"].shape else ()
    return {**_LAYOUT, "threshold": Part("threshold", axes)}


def _orientation(cfg: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    """Report square matrices of which nothing says that they are not transposed."""
    axes = values.get("encoder_axes")
    if axes not in (None, _AXES):
        yield (
            f"encoder_axes is {shown(axes)}; it must be '{_AXES}', the order of W_enc's axes: "
            "transpose W_enc and W_dec"
        )
    elif axes is None and cfg["d_in"] == cfg["d_sae"]:
        yield (
            f"d_in and d_sae are both {cfg['d_in']}, so that a transposed W_enc would not be "
            f"noticed; add encoder_axes='{_AXES}' if W_enc is [d_in, d_sae] and W_dec "
            "[d_sae, d_in]"
        )


def _cfg(file: ArrayFile) -> dict[str, Any]:
    arrays, values = file
    activation = values["activation"]
    architecture = ACTIVATIONS[activation]
    cfg = {
        "architecture": architecture,
        "d_in": arrays["b_dec"].shape[0],
        "d_sae": arrays["b_enc"].shape[0],
        "dtype": dtype_of(arrays["W_dec"].dtype),
        "apply_b_dec_to_input": values.get("apply_b_dec_to_input", True),
        "normalize_activations": "none",
        "metadata": metadata_of(
            FORM.name,
            "standard" if activation == "relu" else str(activation),
            **{name: values.get(name) for name in _NAMES},
        ),
    }
    if architecture in ("topk", "abstopk"):
        cfg |= {"k": values["k"], "rescale_acts_by_decoder_norm": False}
    return cfg


def _tensors(place: Path, cfg: Mapping[str, Any]) -> dict[str, Tensor]:
    import torch

    path = _file(place)
    file = _prepared(path)
    layout = _layout(file)
    check_fit(path, [*layout_misfits(layout, cfg, file.arrays)], "its own sizes")
    tensors = converted(
        layout, cfg, read_arrays(path, {name: file.arrays[name] for name in layout})
    )
    if "threshold" in file.values:
        value = file.values["threshold"]
        tensors["threshold"] = torch.full((cfg["d_sae"],), value, dtype=tensors["W_dec"].dtype)
    return tensors


FORM = Form(
    name="bare arrays",
    recognises=_recognises,
    files=_files,
    read=_read,
    tensors=_tensors,
    says=dict.fromkeys(_NAMES, "a text of this name in the file"),
)
