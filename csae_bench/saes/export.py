"""export: a checkpoint's inference form, for others to load."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from csae_bench.errors import UsageError
from csae_bench.saes.folder import (
    CFG_FILENAME,
    WEIGHTS_FILENAME,
    check_weights,
    find_folder,
    is_training_form,
    read_cfg,
)

STOCK_ARCHITECTURES = {"contrastive": "standard", "contrastive_topk": "topk"}
"""Our inference architectures -> the architecture of SAELens that computes the same."""


def export(checkpoint: Path, to: Path, *, stock: bool = False) -> Path:
    """Writes cfg.json and sae_weights.safetensors of the checkpoint's inference form into `to`.

    The folder appears complete or not at all.

    Args:
        checkpoint: a checkpoint of ours, or a folder of SAELens in either form.
        to: a folder that does not exist, or is empty.
        stock: name an architecture of SAELens's own, so that sae_lens loads the folder where
            csae_bench is not installed; ours stays in `metadata.training_architecture`.

    Returns:
        The absolute path of `to`.

    Raises:
        UsageError: `to` is there already, or cannot be written.
        SaeError: the checkpoint is missing or damaged.
    """
    source = find_folder(checkpoint)
    cfg = read_cfg(source)
    check_weights(source)
    to = to.absolute()
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise UsageError(f"{to} exists already and is not an empty folder; choose another --to.")
    unfinished = to.with_name(f".{to.name}.{uuid.uuid4().hex[:8]}")
    try:
        unfinished.mkdir(parents=True)
        _write_inference_form(source, cfg, unfinished)
        if stock:
            _name_stock_architecture(unfinished)
        if to.exists():
            to.rmdir()
        unfinished.rename(to)
    except OSError as error:
        raise UsageError(f"{to} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return to


def _write_inference_form(source: Path, cfg: dict[str, Any], to: Path) -> None:
    if is_training_form(cfg):
        from csae_bench.saes.loading import save_inference_form  # imports torch and sae_lens

        save_inference_form(source, to)
        return
    for name in (CFG_FILENAME, WEIGHTS_FILENAME):
        shutil.copyfile(source / name, to / name)


def _name_stock_architecture(folder: Path) -> None:
    cfg = read_cfg(folder)
    architecture = cfg.get("architecture", "standard")
    metadata = cfg.get("metadata") or {}
    metadata.setdefault("training_architecture", architecture)
    cfg |= {
        "architecture": STOCK_ARCHITECTURES.get(architecture, architecture),
        "metadata": metadata,
    }
    (folder / CFG_FILENAME).write_text(json.dumps(cfg), encoding="utf-8")
