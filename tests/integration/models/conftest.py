"""Folders of every architecture that loads from one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import torch

from csae_bench.models.architectures import ARCHITECTURES
from tests.model_folders import logits_of_transformers, save_model


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Generator[None]:
    """At these sizes two threads mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def every_saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One folder per architecture, never to be written to."""
    root = tmp_path_factory.mktemp("models")
    return {name: save_model(root / name, name) for name in ARCHITECTURES}


@pytest.fixture(scope="session")
def every_logits(every_saved: dict[str, Path]) -> dict[str, torch.Tensor]:
    """What transformers says of the unbroken models."""
    return {name: logits_of_transformers(folder) for name, folder in every_saved.items()}


@pytest.fixture
def copied(every_saved: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Makes a copy to change."""
    return lambda architecture: shutil.copytree(every_saved[architecture], tmp_path / "model")
