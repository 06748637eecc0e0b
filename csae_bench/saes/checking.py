"""Checks of an SAE's folder that do not read its weights.

What `run`, `doctor`, `export` and `load_sae` say of a folder comes from here, so that they agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from csae_bench.errors import SaeError
from csae_bench.saes.cfg_checks import cfg_problems
from csae_bench.saes.folder import CFG_FILENAME, WEIGHTS_FILENAME, read_cfg
from csae_bench.saes.foreign import foreign_problems, pickles
from csae_bench.saes.kinds import refusal
from csae_bench.saes.weights_file import check_weights, misfits


def check_folder(folder: Path) -> dict[str, Any]:
    """Return cfg.json of a sound folder in SAELens's form; `folder` itself must hold it.

    Raises:
        SaeError: lists every problem, a line each: the folder is of another library, cfg.json is
            missing, unreadable or has a value that no SAE can have, the SAE is of a kind that
            cannot be judged, or the weights do not fit.
    """
    problems = foreign_problems(folder)
    if problems:
        raise SaeError("\n".join(problems))
    cfg = read_cfg(folder)
    problems = [*_problems(folder, cfg)]
    if problems:
        raise SaeError("\n".join(problems))
    return cfg


def _problems(folder: Path, cfg: dict[str, Any]) -> Iterator[str]:
    path = folder / CFG_FILENAME
    refused = refusal(cfg)
    if refused:
        # what its other values and tensors must be is not known here, nor of use
        yield f"{path}: {refused}."
        return
    of_cfg = cfg_problems(cfg)
    for problem in of_cfg:
        yield f"{path} cannot be loaded: {problem}."
    try:
        tensors = check_weights(folder)
    except SaeError as error:
        yield f"{error}{_pickles(folder)}"
        return
    problems = [] if of_cfg else misfits(cfg, tensors)
    if problems:
        yield f"{folder / WEIGHTS_FILENAME}: weights do not fit cfg.json: {'; '.join(problems)}."


def _pickles(folder: Path) -> str:
    files = pickles(folder)
    if not files or (folder / WEIGHTS_FILENAME).exists():
        return ""
    return f" {', '.join(files[:3])} is a torch pickle, which csae-bench never loads."
