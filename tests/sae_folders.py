"""Folders of tiny SAEs, written by hand: cfg.json and safetensors, without sae_lens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

D_IN, D_SAE, K = 128, 32, 4
MODEL, HOOK = "tiny-gemma2-it", "blocks.2.hook_resid_post"
ABSENT: Any = object()
"""A key or a tensor that is left out."""


def cfg(**changes: Any) -> dict[str, Any]:
    """cfg.json of a TopK SAE on the bundled model; `metadata__x` changes metadata.x."""
    values: dict[str, Any] = {
        "architecture": "topk",
        "d_in": D_IN,
        "d_sae": D_SAE,
        "k": K,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "rescale_acts_by_decoder_norm": False,
        "metadata": {
            "sae_lens_version": "6.54.12",
            "model_name": MODEL,
            "hook_name": HOOK,
            "prepend_bos": True,
        },
    }
    for key, value in changes.items():
        outer, _, inner = key.partition("__")
        place = values[outer] if inner else values
        name = inner or outer
        if value is ABSENT:
            place.pop(name, None)
        else:
            place[name] = value
    return values


def weights(**changes: Any) -> dict[str, NDArray[Any]]:
    """Tensors of the same SAE."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((D_SAE, D_IN)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    values: dict[str, Any] = {
        "W_enc": np.ascontiguousarray(directions.T),
        "b_enc": np.zeros(D_SAE, np.float32),
        "W_dec": directions,
        "b_dec": np.zeros(D_IN, np.float32),
        **changes,
    }
    return {name: tensor for name, tensor in values.items() if tensor is not ABSENT}


def write_sae(
    folder: Path,
    *,
    text: str | None = None,
    tensors: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """A folder that SAELens loads, but for the changes.

    Args:
        text: the whole of cfg.json instead.
        tensors: changes of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(cfg(**changes)) if text is None else text)
    save_file(weights(**(tensors or {})), folder / "sae_weights.safetensors")
    return folder
