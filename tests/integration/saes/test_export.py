"""Exporting a checkpoint for others."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from csae_bench.errors import SaeError, UsageError
from csae_bench.saes.export import export
from csae_bench.saes.loading import load_sae

FILES = ["cfg.json", "sae_weights.safetensors"]
ACTS = torch.linspace(-2, 2, 80).view(10, 8)


@pytest.fixture
def checkpoint(make_sae: Any, tmp_path: Path) -> Path:
    make_sae("contrastive_topk").save_inference_model(tmp_path / "checkpoint" / "inference")
    return tmp_path / "checkpoint"


def test_the_inference_form_is_copied_as_it_is(checkpoint: Path, tmp_path: Path) -> None:
    target = export(checkpoint, tmp_path / "new" / "target")
    assert target == tmp_path / "new" / "target"
    assert sorted(path.name for path in target.iterdir()) == FILES
    for name in FILES:
        assert (target / name).read_bytes() == (checkpoint / "inference" / name).read_bytes()


@pytest.mark.parametrize(
    ("architecture", "stock"),
    [
        ("contrastive", "standard"),
        ("contrastive_topk", "topk"),
        ("contrastive_batchtopk", "jumprelu"),
        ("contrastive_jumprelu", "jumprelu"),
        ("contrastive_matryoshka_batchtopk", "jumprelu"),
    ],
)
def test_stock_names_an_architecture_of_sae_lens_and_keeps_ours_in_the_metadata(
    make_sae: Any, tmp_path: Path, architecture: str, stock: str
) -> None:
    make_sae(architecture).save_inference_model(tmp_path / "source")
    cfg = json.loads(
        (export(tmp_path / "source", tmp_path / "to", stock=True) / FILES[0]).read_text()
    )
    assert cfg["architecture"] == stock
    assert cfg["metadata"]["training_architecture"] == architecture


@pytest.mark.parametrize("stock", [False, True])
def test_a_training_form_is_exported_in_its_inference_form(
    architecture: str, make_sae: Any, tmp_path: Path, stock: bool
) -> None:
    make_sae(architecture).save_model(tmp_path / "source")
    target = export(tmp_path / "source", tmp_path / "to", stock=stock)
    assert "decoder_init_norm" not in json.loads((target / FILES[0]).read_text())
    assert torch.equal(load_sae(target)(ACTS), load_sae(tmp_path / "source")(ACTS))


def test_an_empty_folder_may_be_the_target(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    assert (export(checkpoint, tmp_path / "to") / FILES[0]).is_file()


def test_a_target_that_holds_something_is_refused_and_left_alone(
    checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "mine").write_text("mine")
    with pytest.raises(UsageError, match="exists already and is not an empty folder"):
        export(checkpoint, tmp_path / "to")
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["mine"]


def test_a_target_that_is_a_file_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "to").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        export(checkpoint, tmp_path / "to")


def test_a_target_below_a_file_cannot_be_written(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="cannot be written"):
        export(checkpoint, tmp_path / "file" / "to")


def test_a_damaged_checkpoint_leaves_nothing_behind(checkpoint: Path, tmp_path: Path) -> None:
    weights = checkpoint / "inference" / FILES[1]
    weights.write_bytes(weights.read_bytes()[:-5])
    with pytest.raises(SaeError, match="damaged"):
        export(checkpoint, tmp_path / "to")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_failure_in_the_middle_leaves_nothing_behind(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("csae_bench.saes.export.shutil.copyfile", full)
    with pytest.raises(UsageError, match="No space left"):
        export(checkpoint, tmp_path / "to")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
