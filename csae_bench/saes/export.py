"""export: a checkpoint's inference form, for others to load."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from csae_bench.errors import SaeError, UsageError
from csae_bench.saes.checking import check_folder
from csae_bench.saes.folder import (
    CFG_FILENAME,
    WEIGHTS_FILENAME,
    find_folder,
    is_training_form,
    read_cfg,
    short_path,
)
from csae_bench.saes.foreign import foreign_form
from csae_bench.saes.wording import reason

STOCK_ARCHITECTURES = {"contrastive": "standard", "contrastive_topk": "topk"}
"""Our inference architectures -> the architecture of SAELens that computes the same."""


def export(checkpoint: Path, to: Path, *, stock: bool = False) -> Path:
    """Write cfg.json and sae_weights.safetensors of the checkpoint's inference form into `to`.

    The folder appears complete or not at all, and only once it was loaded again.

    Args:
        checkpoint: a checkpoint of ours, a folder of SAELens in either form, or what another
            library wrote: whatever `load_sae` reads from a disk.
        to: a folder that does not exist, or is empty.
        stock: name an architecture of SAELens's own, so that sae_lens loads the folder where
            csae_bench is not installed; ours stays in `metadata.training_architecture`.

    Returns:
        The absolute path of `to`.

    Raises:
        UsageError: `to` is there already, or cannot be written.
        SaeError: the checkpoint is missing, damaged, not finite, or cannot be loaded.
    """
    source = find_folder(checkpoint)
    cfg = check_folder(source)
    to = to.absolute()
    try:
        _check_target(to)
        with _unfinished(to) as unfinished:
            _write_inference_form(source, cfg, unfinished)
            if stock:
                _name_stock_architecture(unfinished)
            _check_loads(unfinished, source)
            if to.exists():
                to.rmdir()
            unfinished.rename(to)
    except OSError as error:
        raise UsageError(f"{short_path(to)} cannot be written: {reason(error)}.") from error
    return to


def _check_target(to: Path) -> None:
    if "\0" in str(to):
        raise UsageError(f"--to {short_path(to)} holds a NUL character, which no name has.")
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise UsageError(f"{to} exists already and is not an empty folder; choose another --to.")


@contextmanager
def _unfinished(to: Path) -> Generator[Path]:
    """Make a folder next to `to`; unless renamed, it and the folders made for it are removed."""
    made = [folder for folder in to.parents if not folder.exists()]
    unfinished = to.with_name(f".{uuid.uuid4().hex}")
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        for folder in made:
            with suppress(OSError):  # not empty: `to` is in it
                folder.rmdir()


def _write_inference_form(source: Path, cfg: dict[str, Any], to: Path) -> None:
    if is_training_form(cfg) or foreign_form(source) is not None:
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


def _check_loads(folder: Path, source: Path) -> None:
    """Load what was written, as its recipients will.

    Raises:
        SaeError: that fails; the folder is called `source`, which is the one a user knows.
    """
    from csae_bench.saes.loading import load_sae  # imports torch and sae_lens

    try:
        load_sae(folder)
    except SaeError as error:
        raise SaeError(str(error).replace(str(folder), str(source))) from error
