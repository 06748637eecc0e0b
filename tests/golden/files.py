"""Golden files: numbers, the machine that measured them, the version they belong to, a digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.golden.machine import Machine
from tests.golden.numbers import Numbers

FOLDER = Path(__file__).parent


class GoldenFileError(Exception):
    """A golden file that cannot be used."""


@dataclass(frozen=True)
class Golden:
    """What a golden file holds."""

    machine: Machine
    version: dict[str, int]
    """Name and value of the constant that the numbers belong to; empty where there is none."""
    numbers: dict[str, Numbers]
    """Part -> its numbers."""

    @property
    def digest(self) -> str:
        """Hash of all of it, 16 hex digits."""
        text = json.dumps([self.machine, self.version, self.numbers], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def path_of(name: str, folder: Path = FOLDER) -> Path:
    """Return where a golden file lies."""
    return folder / f"{name}.json"


def read(name: str, folder: Path = FOLDER) -> Golden:
    """Read a golden file.

    Raises:
        GoldenFileError: it is missing, or was edited by hand.
    """
    path = path_of(name, folder)
    if not path.is_file():
        raise GoldenFileError(
            f"{path}: is missing; write it with `python -m tests.golden --write`."
        )
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    golden = Golden(stored["machine"], stored["version"], stored["numbers"])
    if golden.digest != stored["digest"]:
        raise GoldenFileError(
            f"{path}: was edited by hand: its digest is {stored['digest']}, that of what it holds "
            f"is {golden.digest}. Restore it, and renew it with `python -m tests.golden --write`."
        )
    return golden


def write(name: str, golden: Golden, folder: Path = FOLDER) -> None:
    """Write a golden file, a line for each value."""
    head = {"machine": golden.machine, "version": golden.version, "digest": golden.digest}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    lines.append(f'"numbers": {_block([_part(*part) for part in golden.numbers.items()], "  ")}')
    path_of(name, folder).write_text(_block(lines, " ") + "\n", encoding="utf-8")


def _part(name: str, numbers: Numbers) -> str:
    lines = [f"{json.dumps(path)}: {_value(value)}" for path, value in numbers.items()]
    return f"{json.dumps(name)}: {_block(lines, '   ')}"


def _value(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _block(lines: list[str], indent: str) -> str:
    inner = ",\n".join(f"{indent}{line}" for line in lines)
    return f"{{\n{inner}\n{indent[1:]}}}"
