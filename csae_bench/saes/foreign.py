"""Recognition of SAE folders of other libraries, which cannot be read yet.

Only names and small JSON files are looked at. Torch pickles are never opened: loading one runs
whatever code it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from csae_bench.saes.folder import CFG_FILENAME, WEIGHTS_FILENAME, read_json
from csae_bench.saes.kinds import refusal
from csae_bench.saes.wording import shown

SPARSIFY_WEIGHTS = "sae.safetensors"
_SPARSIFY_KEYS = frozenset(
    {
        "expansion_factor",
        "normalize_decoder",
        "num_latents",
        "multi_topk",
        "skip_connection",
        "transcode",
    }
)
_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
_ARRAYS = (".safetensors", ".npz", ".npy")
_MOST_ENTRIES = 2000
"""Entries of a folder that are looked at."""

_CANNOT_YET = "this form cannot be read yet"
_SAVE_IT = (
    "Until then fill an SAE of SAELens with its weights and pass the folder that its save_model "
    "writes"
)


def foreign_problems(folder: Path) -> list[str]:
    """Describe the content of a folder without an SAE in SAELens's form, and a remedy.

    A sentence for each problem; empty where cfg.json is SAELens's, and where nothing is recognised.
    """
    cfg, config = _object(folder / CFG_FILENAME), _object(folder / "config.json")
    names = _entries(folder)
    if cfg is not None and ("d_sae" in cfg or "architecture" in cfg):
        return []
    if SPARSIFY_WEIGHTS in names or (cfg is not None and len(_SPARSIFY_KEYS & cfg.keys()) >= 2):
        return [*_sparsify(folder, cfg, names)]
    if config is not None and _is_dictionary_learning(config):
        return [*_dictionary_learning(folder, config["trainer"], names)]
    if (folder / CFG_FILENAME).exists():
        return []  # it will be told what is wrong with it
    if config is not None and ("model_type" in config or "architectures" in config):
        return [
            f"{folder} holds a language model (config.json with model_type "
            f"{shown(config.get('model_type'))}), not an SAE; a model is named with --model."
        ]
    return [*_files(folder, names), *_nested(folder)][:1]


def pickles(folder: Path) -> list[str]:
    """List the names of the torch pickles in a folder."""
    return [name for name in _entries(folder) if name.endswith(_PICKLES)]


def _sparsify(folder: Path, cfg: Mapping[str, Any] | None, names: list[str]) -> Iterator[str]:
    yield (
        f"{folder} holds an SAE of EleutherAI's sparsify ({CFG_FILENAME} with num_latents, k; "
        f"{SPARSIFY_WEIGHTS}); {_CANNOT_YET}. {_SAVE_IT}: a TopKSAE with W_enc=encoder.weight.T, "
        "b_enc=encoder.bias, W_dec and b_dec as they are."
    )
    if SPARSIFY_WEIGHTS not in names:
        yield f"{folder / SPARSIFY_WEIGHTS} is missing; sparsify keeps the weights there."
    path = folder / CFG_FILENAME
    if cfg is None:
        yield f"{path} is missing or no JSON object; sparsify keeps its settings there."
        return
    refused = refusal(cfg)
    if refused:
        yield f"{path}: {refused}."
    d_in, k = cfg.get("d_in"), cfg.get("k")
    for key in ("num_latents", "expansion_factor"):
        if key in cfg and not (type(cfg[key]) is int and cfg[key] >= 0):
            yield f"{path}: {key} is {shown(cfg[key])}; it must be a whole number from 0 on."
    if type(d_in) is not int or d_in < 1:
        yield f"{path}: d_in is {shown(d_in)}; it must be a whole number from 1 on."
    d_sae = _sparsify_width(cfg)
    if type(k) is not int or k < 1 or (d_sae is not None and k > d_sae):
        most = f" to {d_sae}, its number of latents" if d_sae is not None else " on"
        yield f"{path}: k is {shown(k)}; it must be a whole number from 1{most}."
    if cfg.get("signed") is True:
        yield f"{path}: signed is true; SAELens has no signed TopK."
    if cfg.get("activation", "topk") not in ("topk", None):
        yield (
            f"{path}: activation is {shown(cfg['activation'])}; a TopKSAE of SAELens computes "
            "'topk' alone."
        )


def _sparsify_width(cfg: Mapping[str, Any]) -> int | None:
    n, d_in, factor = cfg.get("num_latents"), cfg.get("d_in"), cfg.get("expansion_factor")
    if type(n) is int and n > 0:
        return n
    if type(d_in) is int and type(factor) is int and d_in > 0 and factor > 0:
        return d_in * factor
    return None


def _is_dictionary_learning(config: Mapping[str, Any]) -> bool:
    trainer = config.get("trainer")
    return isinstance(trainer, Mapping) and bool(
        {"dict_class", "trainer_class", "activation_dim", "dict_size"} & trainer.keys()
    )


def _dictionary_learning(
    folder: Path, trainer: Mapping[str, Any], names: list[str]
) -> Iterator[str]:
    path = folder / "config.json"
    yield (
        f"{folder} holds an SAE of dictionary_learning (config.json with trainer.dict_class "
        f"{shown(trainer.get('dict_class'))}; ae.pt); {_CANNOT_YET}, and ae.pt is a torch pickle, "
        f"which csae-bench never loads. {_SAVE_IT}."
    )
    if "ae.pt" not in names:
        yield f"{folder / 'ae.pt'} is missing; dictionary_learning keeps the weights there."
    for key in ("activation_dim", "dict_size"):
        value = trainer.get(key)
        if type(value) is not int or value < 1:
            yield f"{path}: trainer.{key} is {shown(value)}; it must be a whole number from 1 on."
    kind = f"{trainer.get('dict_class')} {trainer.get('trainer_class')}".lower()
    if "crosscoder" in kind or "transcoder" in kind:
        yield f"{path}: {refusal({'architecture': kind})}."
    k, width = trainer.get("k"), trainer.get("dict_size")
    if k is not None and (
        isinstance(k, bool)
        or not isinstance(k, int | float)
        or not 0 < k <= (width if type(width) is int and width > 0 else k)
    ):
        yield f"{path}: trainer.k is {shown(k)}; it must be above 0 and at most dict_size."


def _files(folder: Path, names: list[str]) -> Iterator[str]:
    arrays = [name for name in names if name.endswith(_ARRAYS) and name != WEIGHTS_FILENAME]
    pickled = [name for name in names if name.endswith(_PICKLES)]
    if arrays:
        yield (
            f"{folder} holds bare arrays ({_some(arrays)}) without {CFG_FILENAME}; {_CANNOT_YET}. "
            f"{_SAVE_IT}."
        )
    elif pickled:
        yield (
            f"{folder} holds torch pickles ({_some(pickled)}) and no {CFG_FILENAME}; csae-bench "
            f"never loads a pickle, since that runs the code in it. {_SAVE_IT}."
        )


def _nested(folder: Path) -> Iterator[str]:
    """Report SAEs in subfolders: sparsify's `layers.5`, or several checkpoints."""
    folders: list[str] = []
    form = "SAELens's"
    for name in _entries(folder):
        below = folder / name
        for place in (below, below / "inference"):
            inside = _entries(place)
            if SPARSIFY_WEIGHTS in inside:
                form = "sparsify's"
            elif "ae.pt" in inside:
                form = "dictionary_learning's"
            elif not (CFG_FILENAME in inside and WEIGHTS_FILENAME in inside):
                continue
            folders.append(name)
            break
    if not folders:
        return
    folders.sort()
    yield (
        f"{folder} holds no SAE itself; {len(folders)} of its folders do, in {form} form: "
        f"{_some(folders)}. Name one of them"
        + ("." if form == "SAELens's" else f"; {_CANNOT_YET}, and the message on it says more.")
    )


def _object(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None for anything else, which is reported where it is needed."""
    try:
        value = read_json(path)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _entries(folder: Path) -> list[str]:
    try:
        names: list[str] = []
        for path in folder.iterdir():
            names.append(path.name)
            if len(names) >= _MOST_ENTRIES:
                break
        return sorted(names)
    except OSError:
        return []


def _some(names: list[str]) -> str:
    first = ", ".join(shown(name).strip("'") for name in names[:3])
    return first + (f" and {len(names) - 3} more" if len(names) > 3 else "")
