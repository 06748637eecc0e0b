"""`make real` at a small size: both SAEs on SmolLM2, their evals, and the page of their results."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from csae_bench.models import smollm2

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not smollm2.is_installed(), reason=smollm2.INSTALL),
]

SMALL = (
    "training.n_tokens=40960",
    "training.batch_size=256",
    "training.lr_warm_up_steps=2",
    "training.lr_decay_steps=4",
    "training.calibration_tokens=8192",
    "activations.pairs_in_buffer=1024",
    "evals.mig.n_permutations=3",
    "evals.factor_vae.n_permutations=3",
    "evals.feature_correlation.n_permutations=3",
    "evals.factor_probing.n_permutations=3",
    "evals.factor_probing.n_prompts=1",
    "evals.sparse_probing_sae_probes.datasets=[5_hist_fig_ismale,105_click_bait]",
)


def test_both_saes_are_trained_evaluated_and_described(tmp_path: Path) -> None:
    results, page = tmp_path / "results", tmp_path / "docs" / "real_model.md"
    command = [sys.executable, "-m", "csae_bench.cli", "run", "--results", str(results)]
    for name in ("smollm2", "smollm2_batchtopk"):
        command += ["--sae", name]
    for setting in SMALL:
        command += ["--set", setting]
    subprocess.run(command, check=True)
    command = [sys.executable, "-m", "experiments.real_model", "--results", str(results)]
    made = subprocess.run([*command, "--to", str(page)], check=True, capture_output=True, text=True)
    assert "both trainings, side by side" in made.stdout
    text = page.read_text()
    assert "| steps | 160 of 160 | 160 of 160 |" in text
    for said in ("CE loss score", "Value MIG", "105_click_bait", "stands for"):
        assert said in text
    assert not re.search(r"\| nan\b", text)
