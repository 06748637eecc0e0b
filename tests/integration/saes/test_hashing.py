"""Hashes that results are keyed on."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from csae_bench.errors import SaeError
from csae_bench.saes.baselines import identity
from csae_bench.saes.hashing import loaded_hash, weights_hash


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    identity(6).save_model(tmp_path / "sae")
    return tmp_path / "sae"


def test_the_hash_is_sha256_in_hex(folder: Path) -> None:
    assert len(weights_hash(folder)) == 64
    assert int(weights_hash(folder), 16) >= 0
    assert weights_hash(folder) == weights_hash(folder)


@pytest.mark.parametrize("name", ["cfg.json", "sae_weights.safetensors"])
def test_one_changed_byte_changes_the_hash(folder: Path, name: str) -> None:
    before = weights_hash(folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert weights_hash(folder) != before


def test_the_hash_of_a_checkpoint_is_that_of_its_inference_form(folder: Path) -> None:
    before = weights_hash(folder)
    checkpoint = folder.parent / "checkpoint"
    checkpoint.mkdir()
    folder.rename(checkpoint / "inference")
    assert weights_hash(checkpoint) == before


@pytest.mark.parametrize("name", ["cfg.json", "sae_weights.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(SaeError, match=f"{name} cannot be read"):
        weights_hash(folder)


def test_hashing_and_exporting_import_neither_torch_nor_sae_lens() -> None:
    code = (
        "import sys, csae_bench.saes, csae_bench.saes.hashing, csae_bench.saes.export\n"
        "sys.exit(' '.join({'torch', 'sae_lens'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == ""


def test_the_hash_in_memory_follows_weights_and_config_but_not_metadata() -> None:
    plain = loaded_hash(identity(6))
    assert plain == loaded_hash(identity(6, metadata={"model_name": "other"}))
    assert plain != loaded_hash(identity(7))
    assert plain != loaded_hash(identity(6, dtype="bfloat16"))
    changed = identity(6)
    changed.b_dec.data[2] = torch.finfo(torch.float32).tiny
    assert plain != loaded_hash(changed)
