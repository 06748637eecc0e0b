"""State on disk survives a kill at any moment; global generators are restored."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from csae_bench.training.state import (
    StateFolder,
    random_state,
    seed_everything,
    set_random_state,
)


def _writes(text: str) -> Callable[[Path], None]:
    return lambda path: [(path / name).write_text(text) for name in ("a", "b")] and None


def _read(state: StateFolder) -> str | None:
    path = state.find()
    if path is None:
        return None
    one, other = ((path / name).read_text() for name in ("a", "b"))
    assert one == other, "a state that is half old and half new"
    return one


def _draws() -> list[float]:
    return [random.random(), np.random.rand(), torch.rand(1).item()]  # noqa: NPY002


def test_the_last_state_replaces_the_one_before(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "trainer")
    assert _read(state) is None
    state.replace(_writes("1"))
    state.replace(_writes("2"))
    assert _read(state) == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["trainer"]


@pytest.mark.parametrize("n_operations", range(12))
def test_a_kill_at_any_moment_leaves_a_whole_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_operations: int
) -> None:
    state = StateFolder(tmp_path / "trainer")
    state.replace(_writes("1"))
    left = n_operations

    class Killed(BaseException):
        pass

    def until_killed(operation: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return operation(*args, **options)

        return wrapped

    with monkeypatch.context() as patched:
        for name in ("rename", "mkdir", "write_text"):
            patched.setattr(Path, name, until_killed(getattr(Path, name)))
        patched.setattr(shutil, "rmtree", until_killed(shutil.rmtree))
        with contextlib.suppress(Killed):
            state.replace(_writes("2"))
    assert _read(StateFolder(tmp_path / "trainer")) in {"1", "2"}
    state.replace(_writes("3"))
    assert _read(state) == "3"


def test_remove_leaves_nothing(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "trainer")
    state.replace(_writes("1"))
    (tmp_path / "trainer.old").mkdir()
    state.remove()
    assert not list(tmp_path.iterdir())


def test_one_seed_decides_every_global_generator() -> None:
    seed_everything(5)
    first = _draws()
    seed_everything(5)
    assert _draws() == first
    seed_everything(6)
    assert not set(_draws()) & set(first)


def test_restored_generators_go_on_as_before(tmp_path: Path) -> None:
    seed_everything(0)
    _draws()
    torch.save(random_state(), tmp_path / "state.pt")
    expected = _draws()
    seed_everything(1)
    set_random_state(torch.load(tmp_path / "state.pt"))
    assert _draws() == expected
