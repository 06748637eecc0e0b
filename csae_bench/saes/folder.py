"""An SAE's folder on disk: its location and its cfg.json.

Importing this imports neither torch nor sae_lens.
"""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

from csae_bench.errors import SaeError
from csae_bench.saes.wording import reason, shown
from csae_bench.support.regular_files import MIB, read_regular_text

CFG_FILENAME = "cfg.json"
WEIGHTS_FILENAME = "sae_weights.safetensors"
WEIGHTS_OF_FOLDERS = (WEIGHTS_FILENAME, "sae.safetensors", "sparsity.safetensors")
"""Files of SAELens's and sparsify's folders that are no SAE by themselves."""
INFERENCE = "inference"
"""Subfolder of our checkpoints with the inference form."""

MAX_CFG_MIB = 64

_IS_NO_PATH = (errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP)


ARRAY_SUFFIXES = (".npz", ".safetensors")
"""Files of bare arrays, which are an SAE without a folder."""


def is_array_file(path: Path) -> bool:
    """Test whether a file's name is that of bare arrays, and not of the weights of its folder."""
    if path.suffix not in ARRAY_SUFFIXES:
        return False
    return path.name not in WEIGHTS_OF_FOLDERS or not (path.parent / CFG_FILENAME).exists()


def local_place(source: str) -> Path | None:
    """Return the folder, or file of bare arrays, that `--sae` names; None where there is none.

    Raises:
        SaeError: no name at all, one that no file can have, another file, or a folder that may not
            be looked into.
    """
    if not source.strip():
        raise SaeError("--sae is empty; name a configuration, a folder or RELEASE:SAE_ID.")
    if "\0" in source:
        raise SaeError(f"--sae {shown(source)} holds a NUL character, which no name has.")
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            return path
        is_file = path.is_file() or path.exists()
    except RuntimeError as error:  # ~nobody
        raise SaeError(f"--sae {shown(source)}: {error}") from error
    except OSError as error:
        if error.errno in _IS_NO_PATH and ":" in source and len(source) < 1000:
            return None  # RELEASE:SAE_ID, which is no path
        raise SaeError(f"--sae {shown(source)}: {reason(error)}.") from error
    if is_file and is_array_file(path):
        return path
    if is_file and path.suffix not in {".yaml", ".yml"}:
        raise SaeError(
            f"{path} is a file; an SAE is named by the folder that holds its {CFG_FILENAME} and "
            f"{WEIGHTS_FILENAME}, or by an .npz or .safetensors file of bare arrays."
        )
    return None


def sort_cfg(folder: Path) -> None:
    """Write the folder's cfg.json again with its keys in order.

    SAELens writes them in an order that changes from process to process, and a folder's hash is of
    its bytes: equal SAEs would have different hashes.

    Raises:
        OSError: it cannot be written.
    """
    path = folder / CFG_FILENAME
    cfg = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(cfg, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def find_folder(source: Path) -> Path:
    """Return the folder with the weights: `source`, or `source/inference` for our checkpoints.

    A file of bare arrays is returned as it is.

    Raises:
        SaeError: there is no such folder.
    """
    try:
        if is_array_file(source) and source.exists() and not source.is_dir():
            return source
        if not source.is_dir():
            raise SaeError(f"{short_path(source)}: there is no such folder.")
        return source / INFERENCE if (source / INFERENCE).is_dir() else source
    except OSError as error:
        raise SaeError(f"{short_path(source)}: {reason(error)}.") from error


def read_cfg(folder: Path) -> dict[str, Any]:
    """Read cfg.json.

    Raises:
        SaeError: it is missing, cannot be read, or is not a JSON object.
    """
    path = folder / CFG_FILENAME
    try:
        cfg = read_json(path)
    except FileNotFoundError:
        raise missing(path) from None
    except OSError as error:
        raise SaeError(f"{path} cannot be read: {reason(error)}.") from error
    except ValueError as error:
        raise SaeError(f"{path} cannot be read as JSON: {str(error).rstrip('.')}.") from error
    if not isinstance(cfg, dict):
        raise SaeError(f"{path} holds a {type(cfg).__name__}; it must hold a JSON object.")
    return cfg


def missing(path: Path) -> SaeError:
    """Make the error for a missing one of the two files that an SAE's folder must hold."""
    return SaeError(
        f"{path} is missing; an SAE's folder holds {CFG_FILENAME} and {WEIGHTS_FILENAME}."
    )


def read_json(path: Path) -> Any:
    """Read the JSON in a regular file of at most `MAX_CFG_MIB`.

    Raises:
        OSError: see `regular_files.read_regular`.
        ValueError: it is no JSON, nested too deep, or holds a number too long to be one.
    """
    text = read_regular_text(path, at_most=MAX_CFG_MIB * MIB)
    try:
        return json.loads(text, parse_int=_whole_number)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def stated(cfg: dict[str, Any]) -> dict[str, Any]:
    """Return what cfg.json says of the SAE and of its model, by today's names.

    Before version 6 SAELens kept in cfg what is in `metadata` now, earlier under other names.
    """
    metadata = cfg.get("metadata")
    fields = {**cfg, **(metadata if isinstance(metadata, dict) else {})}
    for old, new in (("hook_point", "hook_name"), ("hook_point_head_index", "hook_head_index")):
        if fields.get(new) is None and old in fields:
            fields[new] = fields[old]
    return fields


def is_training_form(cfg: dict[str, Any]) -> bool:
    """Test whether cfg.json was written by SAELens's save_model of a training SAE.

    Each of its training configs has decoder_init_norm, none of its inference configs has.
    """
    return "decoder_init_norm" in cfg


def _whole_number(digits: str) -> int:
    if len(digits) > 400:  # more than a float has, and int() refuses 4,300
        raise ValueError(f"it holds a whole number of {len(digits.lstrip('-'))} digits")
    return int(digits)


def name_of(place: Path) -> str:
    """Return the name by which results call a folder, or a file of bare arrays."""
    own = place.resolve()
    return own.stem if is_array_file(own) and not own.is_dir() else own.name


def short_path(path: Path) -> str:
    """Show a path in a sentence: cut if it is overlong, control characters escaped."""
    text = str(path)
    return text if len(text) <= 200 and text.isprintable() else shown(text)
