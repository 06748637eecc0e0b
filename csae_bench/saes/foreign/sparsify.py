"""SAEs of EleutherAI's sparsify (eai-sparsify 1.3.3): cfg.json and sae.safetensors.

`SparseCoder.encode` of its sparse_coder.py: the k largest of relu((x - b_dec) W + b). Older
versions had `signed`, which takes the k largest magnitudes and keeps their signs. `multi_topk` and
`normalize_decoder` concern its training alone. Its folders are named for the module whose output
the SAE reads, with `seed0` and the like below where several were trained, and the settings of the
training lie in config.json above them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csae_bench.errors import SaeError
from csae_bench.saes.folder import CFG_FILENAME
from csae_bench.saes.foreign.converting import check_fit, converted, dtype_of, layout_misfits
from csae_bench.saes.foreign.form import (
    Form,
    Part,
    Reading,
    entries,
    is_count,
    json_object,
    metadata_of,
)
from csae_bench.saes.kinds import refusal
from csae_bench.saes.weights_file import Header, read_header
from csae_bench.saes.wording import shown

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "sae.safetensors"

_LAYOUT = {
    "encoder.weight": Part("W_enc", ("d_sae", "d_in")),
    "encoder.bias": Part("b_enc", ("d_sae",)),
    "W_dec": Part("W_dec", ("d_sae", "d_in")),
    "b_dec": Part("b_dec", ("d_in",)),
}
_KEYS = frozenset(
    {
        "expansion_factor",
        "normalize_decoder",
        "num_latents",
        "multi_topk",
        "skip_connection",
        "transcode",
    }
)
_FLAGS = ("signed", "multi_topk", "normalize_decoder", "transcode", "skip_connection")
_BLOCK = re.compile(r"(?:(?:model|transformer|gpt_neox|language_model)\.)*(?:layers|h)\.(\d{1,4})")
"""Modules whose output is the residual stream after a block, whatever the language model."""


def _recognises(place: Path) -> bool:
    if not place.is_dir():
        return False
    if WEIGHTS in entries(place):
        return True
    cfg = json_object(place / CFG_FILENAME)
    return cfg is not None and "d_sae" not in cfg and len(_KEYS & cfg.keys()) >= 2


def _files(place: Path) -> tuple[Path, ...]:
    return place / WEIGHTS, place / CFG_FILENAME


def _read(place: Path) -> Reading:
    path = place / CFG_FILENAME
    settings = json_object(path)
    if settings is None:
        problems = [f"{path} is missing or no JSON object; sparsify keeps its settings there."]
        return Reading(problems=[*problems, *_header(place)[1]])
    problems = [f"{path}: {problem}." for problem in _settings_problems(settings)]
    header, of_header = _header(place)
    problems += of_header
    if problems:
        return Reading(problems=problems)
    cfg = _cfg(place, settings, header)
    misfits = [*layout_misfits(_LAYOUT, cfg, header)]
    if misfits:
        problems = [f"{place / WEIGHTS}: weights do not fit cfg.json: {'; '.join(misfits)}."]
    return Reading(cfg=cfg, problems=problems)


def _header(place: Path) -> tuple[Header, list[str]]:
    path = place / WEIGHTS
    try:
        return read_header(path), []
    except FileNotFoundError:
        return {}, [f"{path} is missing; sparsify keeps the weights there."]
    except SaeError as error:
        return {}, [str(error)]


def _settings_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    refused = refusal(settings)
    if refused:
        yield refused
    for key in ("num_latents", "expansion_factor"):
        if key in settings and not (type(settings[key]) is int and settings[key] >= 0):
            yield f"{key} is {shown(settings[key])}; it must be a whole number from 0 on"
    for key in _FLAGS:
        if not isinstance(settings.get(key, False), bool):
            yield f"{key} is {shown(settings[key])}; it must be true or false"
    d_in, k, d_sae = settings.get("d_in"), settings.get("k"), _width(settings)
    if not is_count(d_in):
        yield f"d_in is {shown(d_in)}; it must be a whole number from 1 on"
    elif settings.get("num_latents", 0) == settings.get("expansion_factor") == 0:
        yield "num_latents and expansion_factor are both 0; one of them must be above"
    if not is_count(k) or (d_sae is not None and k > d_sae):
        most = f" to {d_sae}, its number of latents" if d_sae is not None else " on"
        yield f"k is {shown(k)}; it must be a whole number from 1{most}"
    activation = settings.get("activation")
    if activation not in (None, "topk"):  # older versions have no other and name none
        yield (
            f"activation is {shown(activation)}; it must be 'topk': SAELens has no architecture "
            "for another one of sparsify's"
        )


def _width(settings: Mapping[str, Any]) -> int | None:
    n, d_in = settings.get("num_latents"), settings.get("d_in")
    factor = settings.get("expansion_factor", 32)  # the default of SparseCoderConfig
    if is_count(n):
        return n
    return d_in * factor if is_count(d_in) and is_count(factor) else None


def _cfg(place: Path, settings: Mapping[str, Any], header: Header) -> dict[str, Any]:
    architecture = "abstopk" if settings.get("signed") else "topk"
    first = next(iter(header.values()), None)
    return {
        "architecture": architecture,
        "d_in": settings["d_in"],
        "d_sae": _width(settings),
        "k": settings["k"],
        # of the first tensor, as SparseCoder.load_from_disk does
        "dtype": dtype_of(first.dtype if first else ""),
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "rescale_acts_by_decoder_norm": False,
        "metadata": metadata_of(
            FORM.name, architecture, hook_name=_hook_name(place), model_name=_model_name(place)
        ),
    }


def _module(place: Path) -> Path:
    """Return the folder that is named for the module."""
    folder = place.resolve()
    return folder.parent if re.fullmatch(r"seed\d+", folder.name) else folder


def _hook_name(place: Path) -> str | None:
    block = _BLOCK.fullmatch(_module(place).name)
    return f"blocks.{int(block[1])}.hook_resid_post" if block else None


def _model_name(place: Path) -> str | None:
    run = json_object(_module(place).parent / "config.json") or {}
    model = run.get("model")
    return model if isinstance(model, str) and model and "hookpoints" in run else None


def _tensors(place: Path, cfg: Mapping[str, Any]) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    path = place / WEIGHTS
    check_fit(path, [*layout_misfits(_LAYOUT, cfg, read_header(path))], "cfg.json")
    return converted(_LAYOUT, cfg, load_file(path))


FORM = Form(
    name="sparsify",
    recognises=_recognises,
    files=_files,
    read=_read,
    tensors=_tensors,
    says={
        "hook_name": "the folder's name, where that is a whole block's, such as layers.5",
        "model_name": "`model` in the config.json that the training wrote above it",
    },
)
