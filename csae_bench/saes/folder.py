"""An SAE's folder on disk: cfg.json and sae_weights.safetensors, checked without loading them.

Importing this imports neither torch nor sae_lens.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from csae_bench.errors import SaeError

CFG_FILENAME = "cfg.json"
WEIGHTS_FILENAME = "sae_weights.safetensors"
INFERENCE = "inference"
"""Subfolder of our checkpoints with the inference form."""


def find_folder(source: Path) -> Path:
    """The folder with the weights: `source`, or `source/inference` for a checkpoint of ours.

    Raises:
        SaeError: there is no such folder.
    """
    if not source.is_dir():
        raise SaeError(f"{source}: there is no such folder.")
    return source / INFERENCE if (source / INFERENCE).is_dir() else source


def read_cfg(folder: Path) -> dict[str, Any]:
    """What cfg.json holds.

    Raises:
        SaeError: it is missing, or not a JSON object.
    """
    path = folder / CFG_FILENAME
    try:
        cfg = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SaeError(
            f"{path} is missing; an SAE's folder holds {CFG_FILENAME} and {WEIGHTS_FILENAME}."
        ) from None
    except (OSError, ValueError) as error:
        raise SaeError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(cfg, dict):
        raise SaeError(f"{path} holds a {type(cfg).__name__}; it must hold a JSON object.")
    return cfg


def check_weights(folder: Path) -> Path:
    """The weights' file, whose header and length are right; the values are not looked at.

    Raises:
        SaeError: it is missing, truncated, or no safetensors file.
    """
    path = folder / WEIGHTS_FILENAME
    if not path.is_file():
        raise SaeError(
            f"{path} is missing; an SAE's folder holds {CFG_FILENAME} and {WEIGHTS_FILENAME}."
        )
    try:
        with safe_open(path, framework="numpy"):
            return path
    except (SafetensorError, OSError) as error:
        raise SaeError(f"{path} is damaged or no safetensors file: {error}.") from error


def is_training_form(cfg: dict[str, Any]) -> bool:
    """Whether cfg.json was written by SAELens's save_model of a training SAE.

    Each of its training configs has decoder_init_norm, none of its inference configs has.
    """
    return "decoder_init_norm" in cfg
