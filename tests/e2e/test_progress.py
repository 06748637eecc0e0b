"""What a run says on stderr where no terminal is: each step, and at the end what it wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from csae_bench.support import progress
from tests.e2e.conftest import CUSTOM, CsaeBench


def test_a_run_announces_its_steps_and_names_its_pages_and_its_record(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    flags = ("--evals", "mig", "--set", "evals.mig.n_permutations=2", "--results", tmp_path)
    outcome = csae_bench("run", "--sae", "identity", *flags, "--json")
    assert outcome.exit_code == 0
    lines = [line for line in outcome.stderr.splitlines() if line]
    steps = ["making identity", "checking that the SAE is alive ...", "evaluating mig ..."]
    assert [step for line in lines for step in steps if line.startswith(step)] == steps
    last = lines[-3:]
    assert last[0].startswith(f"page: {tmp_path}")
    assert last[0].endswith("heat_map.html")
    assert last[1].endswith("heat_map.png")
    assert last[2].startswith(f"record: {tmp_path}")
    assert all(Path(line.split(": ", 1)[1]).is_file() for line in last)


@pytest.mark.slow
def test_training_tells_its_step_its_loss_and_the_time_left(
    csae_bench: CsaeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.2)
    outcome = csae_bench("train", *CUSTOM, "--results", tmp_path)
    assert outcome.exit_code == 0, outcome.stderr
    told = [line for line in outcome.stderr.splitlines() if line.startswith("training: step ")]
    assert told
    assert "of 40" in told[-1]
    assert "tokens/s" in told[-1]
    assert told[-1].endswith(" left")
    assert "loss" in told[-1]
    assert Path(outcome.stdout.splitlines()[-1]).is_dir()


def test_nothing_of_a_folders_name_steers_the_terminal(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    results = tmp_path / "\x1b[31mred"
    config = tmp_path / "\x1b[32mgreen.yaml"
    config.write_text("model: tiny-gemma2-it\nsae: {architecture: identity}\nevals: {core: {}}\n")
    for command in ("doctor", "run"):
        outcome = csae_bench(
            command, "--sae", config, "--results", results,
            "--set", "evals.core.n_eval_reconstruction_batches=1",
            "--set", "evals.core.n_eval_sparsity_variance_batches=1",
        )  # fmt: skip
        assert outcome.exit_code == 0, outcome.stdout + outcome.stderr
        assert "\x1b" not in outcome.stdout + outcome.stderr
        assert r"\x1b[32mgreen" in outcome.stdout + outcome.stderr or command == "doctor"
