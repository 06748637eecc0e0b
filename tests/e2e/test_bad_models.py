"""A model's folder that is damaged or does not fit: one sentence that names what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import SMALL, CsaeBench
from tests.gemma_folder import SMALL_SHAPE, write_gemma_folder

INDEX = "model.safetensors.index.json"
SHARD = "model-00003-of-00007.safetensors"


def _config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def _index(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        index = json.loads((folder / INDEX).read_text())
        change(index)
        (folder / INDEX).write_text(json.dumps(index))

    return edit


def _bytes(change: Callable[[bytes], bytes], name: str = SHARD) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return edit


FOUND_AT_ONCE: dict[str, tuple[Callable[[Path], None], str]] = {
    # what is done to the folder, and what the sentence holds
    "missing shard": (lambda folder: (folder / SHARD).unlink(), f"has no {SHARD}, which {INDEX}"),
    "truncated shard": (_bytes(lambda shard: shard[:-1000]), f"{SHARD} has "),
    "truncated header": (_bytes(lambda shard: shard[:100]), f"{SHARD} is not a safetensors file"),
    "empty shard": (_bytes(lambda shard: b""), f"{SHARD} is not a safetensors file (0 bytes)"),
    "pointer of git lfs": (
        _bytes(lambda shard: b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull",
    ),
    "header of another length": (
        _bytes(lambda shard: b"\xff" * 8 + shard[8:]), "is not a safetensors file",
    ),
    "no index": (lambda folder: (folder / INDEX).unlink(), "has no weights"),
    "index of nothing": (_index(lambda index: index.clear()), "is not an index of weights"),
    "index without metadata": (
        _index(lambda index: index.pop("metadata")), f"{INDEX} is not an index of weights",
    ),
    "index that is a list": (lambda folder: (folder / INDEX).write_text("[]"), "is not an index"),
    "index that leaves the folder": (
        _index(lambda index: index["weight_map"].update(x=f"../other/{SHARD}")),
        f"{INDEX} names ../other/{SHARD}, which is no file of its folder",
    ),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer"),
    "heads that do not share": (_config(num_key_value_heads=3), "num_key_value_heads is 3"),
    "layers of an unknown type": (_config(layer_types=["global"] * 6), "layer_types is ['global'"),
}  # fmt: skip
"""Faults that `doctor` finds too."""

FOUND_BY_LOADING: dict[str, tuple[Callable[[Path], None], str]] = {
    "wider": (_config(hidden_size=384), "has another shape in the weights than in config.json"),
    "narrower": (_config(hidden_size=256), "has another shape in the weights than in config.json"),
    "wider heads": (_config(head_dim=256), "has another shape in the weights than in config.json"),
    "more words": (_config(vocab_size=4096), "embed_tokens.weight [2048, 320] has another shape"),
    "more layers": (_config(num_hidden_layers=8), "is missing in the weights"),
    "fewer layers": (_config(num_hidden_layers=4), "config.json has no place for it"),
    "another dtype's name": (
        _bytes(lambda shard: shard.replace(b'"BF16"', b'"BF17"', 1)), "transformers cannot load it",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound folder; not to be written to."""
    return write_gemma_folder(tmp_path_factory.mktemp("sound") / "gemma", SMALL_SHAPE)


@pytest.fixture
def damaged(sound: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(sound, tmp_path / "gemma")


def _flags(folder: Path, results: Path) -> list[str | Path]:
    hook = "hook_name=blocks.3.hook_resid_post"
    return ["--sae", "topk", *SMALL, "--set", hook, "--model", folder, "--results", results]


def _check(outcome: Any, expected: str, folder: Path) -> None:
    shown = outcome.stdout + outcome.stderr
    assert outcome.exit_code == 2, shown
    assert "Traceback" not in shown
    assert "this is a bug" not in shown
    sentences = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 1, shown
    assert expected in sentences[0], shown
    assert str(folder) in sentences[0]


@pytest.mark.parametrize("command", ["doctor", "run"])
@pytest.mark.parametrize("fault", FOUND_AT_ONCE)
def test_a_damaged_folder_is_found_before_anything_is_loaded(
    fault: str, command: str, damaged: Path, csae_bench: CsaeBench, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("COLUMNS", "2000")
    damage, expected = FOUND_AT_ONCE[fault]
    damage(damaged)
    _check(csae_bench(command, *_flags(damaged, tmp_path / "r")), expected, damaged)
    assert not (tmp_path / "r" / "checkpoints").exists()


@pytest.mark.parametrize("fault", FOUND_BY_LOADING)
def test_a_folder_whose_config_and_weights_differ_is_one_sentence(
    fault: str, damaged: Path, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    damage, expected = FOUND_BY_LOADING[fault]
    damage(damaged)
    _check(csae_bench("run", *_flags(damaged, tmp_path / "r")), expected, damaged)
