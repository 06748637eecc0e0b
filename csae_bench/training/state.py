"""A training's state on disk, written so that a kill at any moment leaves a complete one."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from csae_bench.support.regular_files import read_regular_text

KIB = 1024
_STEP_FILE = "step.json"


class StateFolder:
    """One folder that is replaced as a whole.

    The new state is written next to it and swapped in by two renames. At any moment of a kill,
    either the folder itself or its predecessor, `<name>.old`, is there and complete.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._new = path.with_name(f"{path.name}.new")
        self._old = path.with_name(f"{path.name}.old")

    def replace(self, write: Callable[[Path], None]) -> None:
        """Have `write` fill an empty folder, then put that in the place of the present one."""
        shutil.rmtree(self._new, ignore_errors=True)
        self._new.mkdir(parents=True)
        try:
            write(self._new)
            _flush(self._new)
        except BaseException:  # a full disk, say: what was half written only takes more of it
            shutil.rmtree(self._new, ignore_errors=True)
            raise
        shutil.rmtree(self._old, ignore_errors=True)
        if self.path.exists():
            self.path.rename(self._old)
        self._new.rename(self.path)
        shutil.rmtree(self._old, ignore_errors=True)

    def find(self) -> Path | None:
        """Find the last complete state, if there is one."""
        if not self.path.exists() and self._old.exists():
            self._old.rename(self.path)
        return self.path if self.path.exists() else None

    def remove(self) -> None:
        """Remove everything; a kill in the middle leaves nothing that `find` would find."""
        for path in (self._old, self.path):
            shutil.rmtree(self._new, ignore_errors=True)
            if path.exists():
                path.rename(self._new)
        shutil.rmtree(self._new, ignore_errors=True)


def write_step(folder: Path, step: int) -> None:
    """Write the step after which a state was taken, to be read without its tensors."""
    (folder / _STEP_FILE).write_text(json.dumps({"step": step}) + "\n", encoding="utf-8")


def saved_step(folder: Path) -> int | None:
    """Return the step after which a state was taken; None where it does not say so."""
    try:
        step = json.loads(read_regular_text(folder / _STEP_FILE, at_most=KIB))["step"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return step if isinstance(step, int) else None


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, numpy and torch, on all devices."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the generator others draw from
    torch.manual_seed(seed)


def random_state() -> dict[str, Any]:
    """Return the state of every global generator, in types that torch.load reads safely."""
    numpy_state: Any = np.random.get_state(legacy=True)  # noqa: NPY002
    name, keys, *rest = numpy_state
    return {
        "python": random.getstate(),
        "numpy": (name, keys.tolist(), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Restore the global generators to a `random_state`."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])


def _flush(folder: Path) -> None:
    # without it a rename can reach the disk before the files it names
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
