"""Saved SAEs are the same to the bit, in this process, in a fresh one, and without csae_bench."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens import SAE, TrainingSAE
from safetensors.torch import save_file

import csae_bench
from csae_bench.saes.contrastive import ARCHITECTURES
from csae_bench.saes.export import export
from csae_bench.saes.loading import load_training_sae

IN_A_FRESH_PROCESS = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from safetensors.torch import load_file
root, package = Path(sys.argv[1]), sys.argv[2]
acts = load_file(root / "acts.safetensors")["acts"]
report = {}

def compare(kind, form, name, sae):
    expected = load_file(root / f"{form}-{name}.safetensors")
    with torch.no_grad():
        codes = sae.encode(acts)
        report[f"{kind} {name}"] = [
            torch.equal(codes, expected["codes"]),
            torch.equal(sae.decode(codes), expected["decoded"]),
        ]

sys.modules["csae_bench"] = None  # importing it is an ImportError from here on
from sae_lens import SAE, TrainingSAE
for folder in sorted((root / "stock").iterdir()):
    compare("stock", "inference", folder.name, SAE.load_from_disk(folder))

del sys.modules["csae_bench"]
sys.path.insert(0, package)
import csae_bench.saes.contrastive
for folder in sorted((root / "inference").iterdir()):
    compare("inference", "inference", folder.name, SAE.load_from_disk(folder))
for folder in sorted((root / "training").iterdir()):
    compare("training", "training", folder.name, TrainingSAE.load_from_disk(folder))
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def saved(
    train_with_sae_lens: Any, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[TrainingSAE[Any], Path]]:
    """Architecture -> a trained SAE and the root of all folders: root / form / architecture."""
    root = tmp_path_factory.mktemp("saes")
    trained: dict[str, tuple[TrainingSAE[Any], Path]] = {}
    for name in ARCHITECTURES:
        backbone = "standard" if name == "contrastive" else name.removeprefix("contrastive_")
        sae = train_with_sae_lens(name, backbone, losses={"rows": {"weight": 0.0}})
        sae.save_model(root / "training" / name)
        sae.save_inference_model(root / "inference" / name)
        export(root / "inference" / name, root / "stock" / name, stock=True)
        trained[name] = (sae, root)
    return trained


@pytest.fixture(scope="module")
def fresh_process(saved: dict[str, tuple[TrainingSAE[Any], Path]]) -> dict[str, list[bool]]:
    """`KIND NAME` -> whether codes and reconstructions are equal in a fresh process."""
    root = next(iter(saved.values()))[1]
    acts = torch.randn(64, 8, generator=torch.Generator().manual_seed(2))
    save_file({"acts": acts}, root / "acts.safetensors")
    for name, (training_sae, _) in saved.items():
        inference_sae = SAE.load_from_disk(root / "inference" / name)
        for form, sae in (("training", training_sae), ("inference", inference_sae)):
            with torch.no_grad():
                codes = sae.encode(acts)
                outputs = {"codes": codes, "decoded": sae.decode(codes)}
            save_file(outputs, root / f"{form}-{name}.safetensors")
    package = str(Path(csae_bench.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-I", "-c", IN_A_FRESH_PROCESS, str(root), package],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_inference_form_is_the_same_to_the_bit_after_loading_and_saving(
    saved: dict[str, tuple[TrainingSAE[Any], Path]], name: str, tmp_path: Path
) -> None:
    folder = saved[name][1] / "inference" / name
    SAE.load_from_disk(folder).save_model(tmp_path)
    weights = "sae_weights.safetensors"
    assert (tmp_path / weights).read_bytes() == (folder / weights).read_bytes()
    assert json.loads((tmp_path / "cfg.json").read_text()) == json.loads(
        (folder / "cfg.json").read_text()
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_training_form_is_the_same_to_the_bit_after_loading_and_saving(
    saved: dict[str, tuple[TrainingSAE[Any], Path]], name: str, tmp_path: Path
) -> None:
    folder = saved[name][1] / "training" / name
    load_training_sae(folder).save_model(tmp_path)
    for file in ("sae_weights.safetensors", "cfg.json"):
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_fresh_process_encodes_and_decodes_the_same(
    fresh_process: dict[str, list[bool]], name: str
) -> None:
    assert fresh_process[f"inference {name}"] == [True, True]
    assert fresh_process[f"training {name}"] == [True, True]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_stock_export_encodes_and_decodes_the_same_where_csae_bench_cannot_be_imported(
    fresh_process: dict[str, list[bool]], name: str
) -> None:
    assert fresh_process[f"stock {name}"] == [True, True]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_inference_form_has_the_weights_of_inference_and_no_others(
    saved: dict[str, tuple[TrainingSAE[Any], Path]], name: str
) -> None:
    weights = set(SAE.load_from_disk(saved[name][1] / "inference" / name).state_dict())
    jumprelu = {"threshold"} if name not in ("contrastive", "contrastive_topk") else set()
    assert weights == {"W_enc", "b_enc", "W_dec", "b_dec"} | jumprelu
