"""Folders of tiny SAEs, written by hand without sae_lens: SAELens's form and other libraries'."""

from __future__ import annotations

import json
from collections.abc import Callable
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


# ---- other libraries' forms


def write_json(path: Path, value: Any) -> None:
    """A JSON file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def random_weights(seed: int = 0, d_in: int = D_IN, d_sae: int = D_SAE) -> dict[str, Any]:
    """Tensors with biases and a decoder that is not the encoder; decoder rows have norm 1."""
    rng = np.random.default_rng(seed)
    shapes = {"W_enc": (d_in, d_sae), "W_dec": (d_sae, d_in), "b_enc": d_sae, "b_dec": d_in}
    drawn = {n: rng.standard_normal(shape).astype(np.float32) for n, shape in shapes.items()}
    drawn["W_dec"] /= np.linalg.norm(drawn["W_dec"], axis=1, keepdims=True)
    drawn["W_enc"] /= np.sqrt(d_in, dtype=np.float32)
    return drawn


SPARSIFY_CFG = {
    "activation": "topk", "expansion_factor": 32, "normalize_decoder": True, "num_latents": D_SAE,
    "k": K, "multi_topk": False, "skip_connection": False, "transcode": False, "d_in": D_IN,
}  # fmt: skip
"""cfg.json as `SparseCoder.save_to_disk` of eai-sparsify 1.3.3 writes it."""


def sparsify_weights(seed: int = 0, **changes: Any) -> dict[str, Any]:
    """Tensors by sparsify's names, the encoder [num_latents, d_in]."""
    ours = random_weights(seed)
    tensors = {
        "encoder.weight": np.ascontiguousarray(ours["W_enc"].T),
        "encoder.bias": ours["b_enc"],
        "W_dec": ours["W_dec"],
        "b_dec": ours["b_dec"],
        **changes,
    }
    return {name: tensor for name, tensor in tensors.items() if tensor is not ABSENT}


def write_sparsify(
    folder: Path, *, tensors: dict[str, Any] | None = None, model: str | None = None, **changes: Any
) -> Path:
    """A folder of sparsify.

    Args:
        tensors: changes of the weights.
        model: named in the config.json that a training writes above its folders.
    """
    write_json(folder / "cfg.json", {**SPARSIFY_CFG, **changes})
    save_file(sparsify_weights(**(tensors or {})), folder / "sae.safetensors")
    if model is not None:
        write_json(folder.parent / "config.json", {"model": model, "hookpoints": [folder.name]})
    return folder


def dictionary_weights(dict_class: str, seed: int = 0) -> dict[str, Any]:
    """The state_dict of a class of dictionary_learning 0.1.0, as numpy arrays."""
    ours = random_weights(seed)
    rng = np.random.default_rng(seed + 1)
    linear = {
        "encoder.weight": np.ascontiguousarray(ours["W_enc"].T),
        "decoder.weight": np.ascontiguousarray(ours["W_dec"].T),
    }
    biased = {**linear, "encoder.bias": ours["b_enc"]}
    k, threshold = np.int32(K), np.float32(0.8)
    thresholds = rng.uniform(0.1, 1, D_SAE).astype(np.float32)
    gates = {
        name: rng.standard_normal(D_SAE).astype(np.float32) * np.float32(0.3)
        for name in ("r_mag", "gate_bias", "mag_bias")
    }
    return {
        "AutoEncoder": {**biased, "bias": ours["b_dec"]},
        "AutoEncoderNew": {**biased, "decoder.bias": ours["b_dec"]},
        "AutoEncoderTopK": {
            **biased, "b_dec": ours["b_dec"], "k": k, "threshold": np.float32(-1),
        },
        "BatchTopKSAE": {**biased, "b_dec": ours["b_dec"], "k": k, "threshold": threshold},
        "MatryoshkaBatchTopKSAE": {
            **ours, "k": k, "threshold": threshold, "group_sizes": np.array([8, 24]),
        },
        "JumpReluAutoEncoder": {**ours, "threshold": thresholds},
        "GatedAutoEncoder": {**linear, **gates, "decoder_bias": ours["b_dec"]},
    }[dict_class]  # fmt: skip


DICT_CLASSES = {
    "AutoEncoder": "StandardTrainer",
    "AutoEncoderNew": "StandardTrainerAprilUpdate",
    "AutoEncoderTopK": "TopKTrainer",
    "BatchTopKSAE": "BatchTopKTrainer",
    "MatryoshkaBatchTopKSAE": "MatryoshkaBatchTopKTrainer",
    "JumpReluAutoEncoder": "JumpReluTrainer",
    "GatedAutoEncoder": "GatedSAETrainer",
}
"""Class of dictionary_learning -> a trainer of it."""


def write_dictionary(
    folder: Path,
    dict_class: str = "AutoEncoderTopK",
    *,
    state: dict[str, Any] | None = None,
    buffer: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """A folder of dictionary_learning.

    Args:
        state: changes of the weights.
        changes: of `trainer` in config.json.
    """
    import torch

    trainer = {
        "trainer_class": DICT_CLASSES.get(dict_class, "Trainer"), "dict_class": dict_class,
        "activation_dim": D_IN, "dict_size": D_SAE, "k": K, "layer": 2, "lm_name": MODEL,
        "submodule_name": "resid_post_layer_2", **changes,
    }  # fmt: skip
    kept = {name: value for name, value in trainer.items() if value is not ABSENT}
    write_json(folder / "config.json", {"trainer": kept, "buffer": buffer or {"d_submodule": D_IN}})
    held = {**dictionary_weights(dict_class), **(state or {})} if dict_class in DICT_CLASSES else {}
    tensors = {
        name: torch.from_numpy(np.array(value)) if not isinstance(value, torch.Tensor) else value
        for name, value in held.items()
        if value is not ABSENT
    }
    torch.save(tensors, folder / "ae.pt")
    return folder


ARRAY_VALUES: dict[str, dict[str, Any]] = {
    "relu": {},
    "topk": {"k": K},
    "abstopk": {"k": K},
    "jumprelu": {"threshold": 0.5},
    "batchtopk": {"threshold": 0.5},
    "matryoshka_batchtopk": {"threshold": 0.5},
}
"""Activation -> what a file of bare arrays must say beside it."""


def write_arrays(path: Path, activation: str | None = "relu", **changes: Any) -> Path:
    """A file of bare arrays, .npz or .safetensors by its suffix; `changes` of arrays and values."""
    values = {
        **random_weights(),
        **ARRAY_VALUES.get(activation or "", {}),
        "activation": ABSENT if activation is None else activation,
        "hook_name": HOOK,
        "model_name": MODEL,
        **changes,
    }
    kept = {name: value for name, value in values.items() if value is not ABSENT}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        np.savez(path, **kept)
        return path
    arrays = {name: value for name, value in kept.items() if isinstance(value, np.ndarray)}
    texts = {name: str(value) for name, value in kept.items() if name not in arrays}
    save_file(arrays, path, metadata={"format": "np", **texts})
    return path


FOREIGN_WRITERS: dict[str, Callable[[Path], Path]] = {
    "sparsify": lambda folder: write_sparsify(folder / "layers.2", model=MODEL),
    "dictionary_learning": write_dictionary,
    "bare arrays": lambda folder: write_arrays(folder.with_suffix(".npz")),
}
"""Form -> writes one at a path, or at one like it; returns what --sae names. One for each row of
the table of forms."""
