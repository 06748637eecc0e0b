"""Resolution of names and paths to models."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Literal

from csae_bench.errors import UnknownNameError
from csae_bench.models.held import held_shape
from csae_bench.models.table import MODELS

ModelKind = Literal["tinyworld", "package", "folder", "hub", "memory"]
"""Origin of a model: bundled, out of another installed package, a folder of the user's, the hub, or
memory."""


@dataclass(frozen=True, kw_only=True)
class ModelReference:
    """Model that a name or path stands for."""

    name: str
    """The true name: the table's, the hub's full one, or the folder's base name."""

    kind: ModelKind
    path: Path | None
    """The model's folder; none for a model on the hub."""


def resolve(name_or_path: str) -> ModelReference:
    """Resolve the model that `name_or_path` stands for; nothing of it is read.

    In this order: a name in the table; a path (it starts with `/`, `~`, `./` or `../`, or is a
    folder with a config.json); a hub name or alias that transformer-lens knows, in any case
    (`gemma-2-2b` is google/gemma-2-2b); any other folder. A model that is held in memory comes
    before the hub's.

    Raises UnknownNameError for everything else. Whether a folder holds a model is for `describe`.
    """
    if name_or_path in MODELS:
        return _named(name_or_path)
    if _is_written_as_path(name_or_path) or (Path(name_or_path) / "config.json").is_file():
        return _folder(name_or_path)
    if held_shape(name_or_path) is not None:
        return ModelReference(name=name_or_path, kind="memory", path=None)
    hub_name = _hub_names().get(name_or_path.lower())
    if hub_name is not None:
        return _named(hub_name)
    if name_or_path and Path(name_or_path).is_dir():
        return _folder(name_or_path)
    near = difflib.get_close_matches(name_or_path.lower(), _hub_names(), n=3)
    raise UnknownNameError("model", name_or_path, {*MODELS, *(_hub_names()[name] for name in near)})


def prepare(model: ModelReference) -> None:
    """Make the folder of a model that comes out of another package, unless it is there.

    Raises ModelError if that cannot be done.
    """
    row = MODELS.get(model.name) if model.kind == "package" else None
    if row is not None and row.prepare is not None:
        row.prepare()


def _named(name: str) -> ModelReference:
    row = MODELS.get(name)
    if row is not None and row.folder is not None:
        kind = "tinyworld" if row.prepare is None else "package"
        return ModelReference(name=name, kind=kind, path=row.folder())
    return ModelReference(name=name, kind="hub", path=None)


def _is_written_as_path(text: str) -> bool:
    return text in (".", "..") or text.startswith(("/", "~", "./", "../"))


def _folder(text: str) -> ModelReference:
    # not Path.resolve: the base name of a symbolic link is the name its owner gave the model
    path = Path(os.path.abspath(Path(text).expanduser()))
    return ModelReference(name=path.name, kind="folder", path=path)


@cache
def _hub_names() -> dict[str, str]:
    """transformer-lens's names and aliases, in lower case, to the full names on the hub.

    Read from the one file that lists them: importing transformer_lens takes 4 s and brings torch.
    """
    package = find_spec("transformer_lens")
    assert package is not None, "transformer-lens is a dependency"
    assert package.origin is not None, "transformer-lens is a regular package"
    spec = spec_from_file_location(
        "csae_bench.models._hub_names", Path(package.origin).parent / "supported_models.py"
    )
    assert spec is not None, "a .py file has a spec"
    assert spec.loader is not None, "a .py file has a loader"
    listed = module_from_spec(spec)
    spec.loader.exec_module(listed)

    names: dict[str, str] = {}
    for official in listed.OFFICIAL_MODEL_NAMES:
        for alias in listed.MODEL_ALIASES.get(official, []):
            names[alias.lower()] = official
        names[official.lower()] = official
    return names
