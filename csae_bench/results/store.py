"""Layout of the results folder, and atomic writing of its files."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import time
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from filelock import FileLock
from pydantic import BaseModel, ValidationError

from csae_bench.errors import ResultError, reason_of
from csae_bench.results.schema import RunRecord

CACHE_VARIABLE = "CSAE_BENCH_CACHE"
"""Environment variable with the folder of caches that several results folders share."""

_ABANDONED_AFTER_SECONDS = 2 * 24 * 3600
"""Age from which an unfinished folder is one that a killed run left."""


@dataclass(frozen=True)
class Store:
    """A results folder: `<eval_type_id>/`, `runs/` and `checkpoints/`.

    Args:
        root: the folder; made when something is written.
    """

    root: Path

    def eval_result(
        self, eval_name: str, release: str, sae_id: str, variant: str | None = None
    ) -> Path:
        """Return the path of an eval's result, in SAE-Bench's layout.

        Args:
            variant: 8 hex digits of a result under other conditions than the SAE's first.
        """
        name = _name(release, sae_id, _suffix(variant) + "_eval_results.json")
        return self.root / eval_name / name

    def eval_results(self, eval_name: str) -> list[Path]:
        """Return the paths of an eval's results, of all SAEs and variants."""
        return sorted((self.root / eval_name).glob("*_eval_results.json"))

    @property
    def report(self) -> Path:
        """Path of the page that a run ends with."""
        return self.root / "report.html"

    def run_record(self, release: str, sae_id: str) -> Path:
        """Return the path of a run's record."""
        return self.root / "runs" / _name(release, sae_id, ".json")

    def cells(self, release: str, sae_id: str) -> Path:
        """Return the folder of the files that a run's record is made of, one a cell."""
        return self.root / "runs" / ".cells" / _name(release, sae_id, "")

    def checkpoint(self, release: str, sae_id: str, training_hash: str) -> Path:
        """Return the folder of a checkpoint."""
        return self.root / "checkpoints" / _name(release, sae_id, "") / training_hash

    def checkpoints(self, training_hash: str) -> list[Path]:
        """Return folders of the checkpoints with this training hash, under any SAE name."""
        return sorted((self.root / "checkpoints").glob(f"*/{training_hash}"))

    def artifacts(
        self, eval_name: str, release: str, sae_id: str, variant: str | None = None
    ) -> Path:
        """Return the folder of an eval's further output: pictures, pages, tables."""
        return self.root / "artifacts" / eval_name / _name(release, sae_id, _suffix(variant))

    @contextmanager
    def unfinished(self, eval_name: str, release: str, sae_id: str) -> Generator[Path]:
        """Give the path of a new folder for artifacts that are not all there yet.

        Whoever fills it renames it into its place; what is left of it is removed.
        """
        place = self.artifacts(eval_name, release, sae_id)
        mine = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
        for left in place.parent.glob(f".{glob.escape(place.name)}.*"):
            with contextlib.suppress(OSError):  # another run may remove it first
                if time.time() - left.stat().st_mtime > _ABANDONED_AFTER_SECONDS:
                    shutil.rmtree(left)
        try:
            yield mine
        finally:
            shutil.rmtree(mine, ignore_errors=True)

    def lock(self, name: str) -> FileLock:
        """Return the lock that whoever writes the file or folder called `name` holds."""
        folder = self.root / "cache" / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultError(_cannot_be_written(folder, error)) from error
        return FileLock(folder / f"{name}.lock")

    def cache(self, eval_name: str) -> Path:
        """Return the folder of an eval's cache by content between runs, for all SAEs."""
        return self.root / "cache" / eval_name

    @property
    def activation_cache(self) -> Path:
        """Folder of the activations that trainings share; CSAE_BENCH_CACHE names another one."""
        shared = os.environ.get(CACHE_VARIABLE)
        return (Path(shared).expanduser() if shared else self.root / "cache") / "activations"

    def artifacts_of(self, result: str) -> Path:
        """Return the folder of an eval's further output, from the result's path in a record."""
        eval_name, _, name = result.partition("/")
        return self.root / "artifacts" / eval_name / name.removesuffix("_eval_results.json")

    def relative(self, path: Path) -> str:
        """Return `path` as records name it: relative to the results folder, with `/`."""
        return path.resolve().relative_to(self.root.resolve()).as_posix()


def write_json(path: Path, value: Mapping[str, Any] | BaseModel) -> None:
    """Write strict JSON (no NaN) atomically: `path` holds either the whole old or new file.

    Raises:
        ResultError: the disk is full or the folder cannot be written; `path` is as it was.
        ValueError: a NaN or an infinity is in `value`.
    """
    content = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write text atomically: `path` holds either the whole old or the whole new file.

    Raises:
        ResultError: the disk is full or the folder cannot be written; `path` is as it was.
    """
    # not tempfile, whose files only their owner may read
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise ResultError(_cannot_be_written(path, error)) from error
    finally:
        with contextlib.suppress(OSError):  # mostly it is not there any more
            temporary.unlink()


def read_json(path: Path) -> dict[str, Any] | None:
    """Read the JSON object in `path`; None if there is no such file.

    Raises:
        ResultError: the file is there and holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(
            f"{path}: cannot be read: {reason_of(error)}. Delete it, or use --force."
        ) from error
    if not isinstance(value, dict):
        raise ResultError(f"{path}: holds no JSON object. Delete it, or use --force.")
    return cast(dict[str, Any], value)


def read_record(path: Path) -> RunRecord | None:
    """Return the run record in `path`; None if there is none or it is of another version."""
    value = read_json(path)
    if value is None:
        return None
    try:
        return RunRecord.model_validate(value)
    except ValidationError:
        return None


def _cannot_be_written(path: Path, error: OSError) -> str:
    return (
        f"{path}: cannot be written: {error.strerror}. Free space there, or name another folder "
        "with --results."
    )


def _suffix(variant: str | None) -> str:
    return "" if variant is None else f"_{variant}"


def _name(release: str, sae_id: str, suffix: str) -> str:
    return f"{release}_{sae_id}{suffix}".replace("/", "_")
