"""`csae-bench metrics CODES FACTORS`, from files to the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy import sparse

from tests.e2e.conftest import CsaeBench
from tests.unit.metrics.code_worlds import one_hot

NAMES = {
    "mig", "value_mig", "mig_sup", "factor_vae", "factor_vae_population", "dci_disentanglement",
    "dci_completeness", "sap", "modularity", "explicitness",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An oracle SAE's codes and their factors, in every form that is read."""
    folder = tmp_path_factory.mktemp("arrays")
    codes, factors = one_hot(0)
    codes = codes.astype(np.float32)
    np.savez(folder / "dense.npz", codes=codes)
    sparse.save_npz(folder / "sparse.npz", sparse.csr_array(codes))
    save_file({"codes": codes}, folder / "codes.safetensors")
    names = ["gender", "tense", "topic"]
    np.savez(folder / "factors.npz", factors=factors, names=names)
    lines = [",".join(names), *(",".join(f"v{value}" for value in row) for row in factors)]
    (folder / "factors.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_every_form_of_the_same_arrays_gives_the_same_json(
    folder: Path, csae_bench: CsaeBench
) -> None:
    outputs = []
    for codes, factors in (
        ("dense.npz", "factors.npz"),
        ("sparse.npz", "factors.csv"),
        ("codes.safetensors", "factors.csv"),
    ):
        done = csae_bench("metrics", folder / codes, folder / factors, "--json")
        assert done.exit_code == 0, done.stderr
        outputs.append(json.loads(done.stdout))
    assert outputs[0] == outputs[1] == outputs[2]
    result = outputs[0]
    assert set(result) == {"metrics", "factors", "settings", "reasons"}
    assert set(result["metrics"]) == NAMES
    assert set(result["factors"]) == {"gender", "tense", "topic"}
    assert result["metrics"]["value_mig"] > 0.98
    assert result["metrics"]["mig"] < 0.1


def test_the_table_shows_all_metrics(folder: Path, csae_bench: CsaeBench) -> None:
    done = csae_bench("metrics", folder / "sparse.npz", folder / "factors.csv")
    assert done.exit_code == 0, done.stderr
    assert all(name in done.stdout for name in NAMES | {"gender", "tense", "topic"})
    assert "1920 samples, 12 latents, 3 factors" in done.stdout


def test_bad_input_is_a_sentence_and_exit_2(
    folder: Path, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    (tmp_path / "short.csv").write_text("gender\nf\nm\n", encoding="utf-8")
    np.savez(tmp_path / "nan.npz", codes=np.array([[1.0], [np.nan]]))
    for codes, factors, expected in (
        (folder / "none.npz", folder / "factors.csv", "there is no such file"),
        (folder / "factors.npz", folder / "factors.csv", "no array 'codes'"),
        (folder / "dense.npz", tmp_path / "short.csv", "has 2 below its header"),
        (tmp_path / "nan.npz", tmp_path / "short.csv", "not finite"),
    ):
        done = csae_bench("metrics", codes, factors, "--json")
        assert done.exit_code == 2
        assert expected in done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr


def test_metrics_on_arrays_import_no_torch(folder: Path) -> None:
    code = (
        "import sys\nfrom csae_bench.cli.main import main\n"
        f"try: main(['metrics', {str(folder / 'dense.npz')!r}, {str(folder / 'factors.csv')!r}])\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'transformers', 'sae_lens', 'sae_bench', 'datasets'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
