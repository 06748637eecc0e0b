"""Checks of an SAE's folder that do not read its weights.

What `run`, `doctor`, `export` and `load_sae` say of a folder comes from here, so that they agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from csae_bench.errors import SaeError
from csae_bench.results.identity import SAE_ID_KEY
from csae_bench.saes.architectures import architecture_of
from csae_bench.saes.cfg_checks import cfg_problems
from csae_bench.saes.folder import CFG_FILENAME, WEIGHTS_FILENAME, read_cfg, stated
from csae_bench.saes.foreign import foreign_form, foreign_problems, pickles
from csae_bench.saes.kinds import refusal
from csae_bench.saes.weights_file import check_weights, misfits


def check_folder(folder: Path) -> dict[str, Any]:
    """Return cfg.json of a sound folder, in SAELens's form; `folder` itself must hold it.

    Of another library's folder or file it is what SAELens would have written.

    Raises:
        SaeError: lists every problem, a line each: there is no SAE in a form that is read, its
            settings are missing, unreadable or have a value that no SAE can have, the SAE is of a
            kind that cannot be judged, or the weights do not fit.
    """
    form = foreign_form(folder)
    if form is not None:
        reading = form.read(folder)
        of_cfg = [] if reading.problems else cfg_problems(reading.cfg)
        _raise([*reading.problems, *(f"{folder}: {problem}." for problem in of_cfg)])
        return reading.cfg
    _raise(foreign_problems(folder))
    cfg = read_cfg(folder)
    _raise([*_problems(folder, cfg)])
    return cfg


def cfg_of(folder: Path) -> dict[str, Any]:
    """Return the same of a folder that was checked, or that we wrote ourselves.

    Raises:
        SaeError: it cannot be read.
    """
    return read_cfg(folder) if foreign_form(folder) is None else check_folder(folder)


def form_of(folder: Path, cfg: dict[str, Any]) -> str:
    """Return the library whose form a sound folder has, `csae-bench` for a checkpoint of ours."""
    form = foreign_form(folder)
    if form is not None:
        return form.name
    said = stated(cfg)
    trained_as = str(said.get("training_architecture") or architecture_of(cfg))
    is_ours = SAE_ID_KEY in said or trained_as.startswith("contrastive")
    return "csae-bench" if is_ours else "SAELens"


def _raise(problems: list[str]) -> None:
    if problems:
        raise SaeError("\n".join(problems))


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
