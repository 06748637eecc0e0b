"""Folders of results as a run leaves them, with the values that a test plants."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from csae_bench.results.store import Store

RELEASE = "tiny-gemma2-it_layer_2_sae"
_DATA = Path(__file__).parents[1] / "data" / "results"
_CORE = json.loads((_DATA / "core" / f"{RELEASE}_pca_eval_results.json").read_text())
_MIG = json.loads((_DATA / "mig" / f"{RELEASE}_random_eval_results.json").read_text())
_RECORD = json.loads((_DATA / "runs" / f"{RELEASE}_random.json").read_text())

NOISE = (0.0, 0.004, -0.003, 0.002, -0.005)
"""What a seed adds to a score."""


def core(
    folder: Path, name: str, ce_loss_score: float, *, seed: int = 0, context_size: int = 128,
    ce_loss_with_sae: float | None = None,
) -> Path:  # fmt: skip
    """A core result."""
    result = _named(_CORE, name, seed)
    preservation = result["eval_result_metrics"]["model_performance_preservation"]
    preservation["ce_loss_score"] = ce_loss_score
    result["eval_result_unstructured"]["corrected"]["ce_loss_score"] = ce_loss_score
    if ce_loss_with_sae is not None:
        preservation["ce_loss_with_sae"] = ce_loss_with_sae
    result["eval_config"]["context_size"] = context_size
    return _write(folder, name, seed, result)


def mig(folder: Path, name: str, value_mig: float | None, *, seed: int = 0) -> Path:
    """A result of the eval mig; None is undefined."""
    result = _named(_MIG, name, seed)
    result["eval_result_metrics"]["scores"]["value_mig"] = value_mig
    if value_mig is None:
        result["eval_result_unstructured"]["reasons"]["value_mig"] = "no latent is active"
    return _write(folder, name, seed, result)


def record(
    folder: Path, name: str, status: str = "ok", *, seed: int = 0, message: str = ""
) -> Path:
    """A run record; what is not ok is its training."""
    value = copy.deepcopy(_RECORD)
    value |= {"status": status, "sae_id": _sae_id(name, seed), "release": RELEASE}
    value["config"]["seed"] = seed
    value["weights_hash"] = _weights_hash(name, seed)
    if status != "ok":
        value["cells"] = {"training": {"status": status, "reasons": [
            {"kind": "TrainingError", "message": message or "the loss is not finite at step 7"}
        ]}}  # fmt: skip
    path = Store(folder).run_record(RELEASE, _sae_id(name, seed))
    _dump(path, value)
    return path


def family(
    folder: Path, name: str = "topk", ce_loss_score: float = 0.8, value_mig: float | None = 0.5,
    *, seeds: Sequence[int] = range(5), noise: Sequence[float] = NOISE,
) -> Path:  # fmt: skip
    """Core, mig and a record for each seed; returns the folder."""
    for seed in seeds:
        core(folder, name, ce_loss_score + noise[seed], seed=seed)
        mig(folder, name, None if value_mig is None else value_mig + noise[-seed], seed=seed)
        record(folder, name, seed=seed)
    return folder


def _named(template: dict[str, Any], name: str, seed: int) -> dict[str, Any]:
    result = copy.deepcopy(template)
    result["sae_lens_id"] = _sae_id(name, seed)
    result["sae_lens_release_id"] = RELEASE
    result["eval_result_unstructured"]["provenance"]["config"]["seed"] = seed
    result["eval_result_unstructured"]["provenance"]["seed"] = seed
    result["eval_result_unstructured"]["provenance"]["weights_hash"] = _weights_hash(name, seed)
    return result


def _write(folder: Path, name: str, seed: int, result: dict[str, Any]) -> Path:
    path = Store(folder).eval_result(result["eval_type_id"], RELEASE, _sae_id(name, seed))
    _dump(path, result)
    return path


def _dump(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))


def _weights_hash(name: str, seed: int) -> str:
    return hashlib.sha256(_sae_id(name, seed).encode()).hexdigest()


def _sae_id(name: str, seed: int) -> str:
    return name if seed == 0 else f"{name}_seed{seed}"
