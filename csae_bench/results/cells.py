"""Cells as files, each written by the run that made it and by no other at the same time.

A record that is lost, or that two runs wrote at once, is made of them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from csae_bench.errors import ResultError
from csae_bench.results.merging import RUN
from csae_bench.results.schema import Cell
from csae_bench.results.store import read_json, write_json


@dataclass(frozen=True)
class CellFiles:
    """The cells of one SAE, in a folder."""

    folder: Path

    def write(self, cells: Mapping[str, Cell], weights_hash: str | None) -> None:
        """Write each cell that differs from its file; the weights are those that it is of.

        Raises:
            ResultError: the folder cannot be written.
        """
        for name, cell in cells.items():
            if name == RUN:  # of a run that stopped between two cells: the record says it
                continue
            content = {"weights_hash": weights_hash, "cell": cell.model_dump(mode="json")}
            if self._content(self._path(name)) != content:
                write_json(self._path(name), content)

    def read(self, weights_hash: str | None) -> dict[str, Cell]:
        """Return the cells of these weights, by name; a damaged file counts as none."""
        cells: dict[str, Cell] = {}
        for path in sorted(self.folder.glob("*.json")):
            content = self._content(path) or {}
            if content.get("weights_hash") != weights_hash:
                continue
            try:
                cells[path.stem] = Cell.model_validate(content.get("cell"))
            except ValidationError:
                continue
        return cells

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _content(self, path: Path) -> dict[str, object] | None:
        try:
            return read_json(path)
        except ResultError:
            return None
