"""Description of a foreign form: how a place that holds an SAE of another library is read.

Importing this imports neither torch nor sae_lens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from csae_bench.saes.folder import read_json

if TYPE_CHECKING:
    from torch import Tensor

MOST_ENTRIES = 2000
"""Entries of a folder that are looked at."""


@dataclass(kw_only=True)
class Reading:
    """The content of a place by its JSON and the headers of its arrays; no weights are read."""

    cfg: dict[str, Any] = field(default_factory=dict[str, Any])
    """The same as cfg.json of SAELens; of no use where there are problems."""
    problems: list[str] = field(default_factory=list[str])
    """A sentence each."""


class Part(NamedTuple):
    """Meaning of a tensor of another library."""

    ours: str
    """SAELens's name of it."""
    axes: tuple[str, ...]
    """Its axes in its own order, `d_in` or `d_sae`; none: one number for all latents."""


Layout = Mapping[str, Part]
"""The other library's tensors by their names there."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """A row of the table of foreign forms."""

    name: str
    """As `doctor` prints it, and as it is kept in `metadata.converted_from`."""

    recognises: Callable[[Path], bool]
    """Whether a place, a folder or a file, is meant to be of this form, damaged or not."""

    files: Callable[[Path], tuple[Path, ...]]
    """The files that decide what the SAE computes; its hash is made of them."""

    read: Callable[[Path], Reading]

    tensors: Callable[[Path, Mapping[str, Any]], dict[str, Tensor]]
    """Reads the weights, by SAELens's names and in its shapes, of a place whose cfg was read.

    Raises SaeError where they do not fit."""

    says: Mapping[str, str]
    """For `hook_name` and `model_name`, where this form says it."""


def entries(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none where it cannot be looked into."""
    names: list[str] = []
    try:
        for path in folder.iterdir():
            names.append(path.name)
            if len(names) >= MOST_ENTRIES:
                break
    except OSError:
        return []
    return sorted(names)


def json_object(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None for anything else, which is reported where it is needed."""
    try:
        value = read_json(path)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def is_count(value: Any) -> TypeGuard[int]:
    """Test for a whole number from 1 on, which true is not."""
    return type(value) is int and value >= 1


def metadata_of(form: str, architecture: str, /, **known: Any) -> dict[str, Any]:
    """Return the metadata of a converted SAE, without what is not known."""
    values = {"training_architecture": architecture, "converted_from": form, **known}
    return {name: value for name, value in values.items() if value is not None}
