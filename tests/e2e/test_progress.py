"""What a run says on stderr where no terminal is: each step, and at the end what it wrote."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from csae_bench import __version__
from csae_bench.support import progress
from tests.e2e.conftest import CUSTOM, CsaeBench

WATCHED = """
import io, sys

from csae_bench.cli.main import main

HEAVY = {"torch", "sae_lens", "transformer_lens", "sae_bench"}
written = []


class Watched(io.StringIO):
    def write(self, text):
        if not isinstance(text, str):  # or click takes it for a binary stream
            raise TypeError(text)
        for line in text.splitlines():
            written.append((line, sorted(HEAVY & sys.modules.keys())))
        return len(text)


shown, sys.stderr = sys.stderr, Watched()
try:
    main(sys.argv[1:])
except SystemExit as end:
    sys.stderr = shown
    for line, heavy in written:
        print(f"{','.join(heavy) or '-'} {line}", file=shown)
    sys.exit(end.code)
"""
"""Runs the command line, and says of each line on stderr what had been imported when it came."""


def test_a_run_announces_its_steps_and_names_its_files(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    flags = ("--evals", "mig", "--set", "evals.mig.n_permutations=2", "--results", tmp_path)
    outcome = csae_bench("run", "--sae", "identity", *flags, "--json")
    assert outcome.exit_code == 0
    lines = [line for line in outcome.stderr.splitlines() if line]
    steps = [
        f"csae-bench {__version__}: planning to run identity ...",
        "making identity ...",
        "checking that the SAE is alive ...",
        "evaluating mig ...",
        f"writing {tmp_path / 'report.html'} ...",
    ]
    assert [line for line in lines if line in steps] == steps
    page, record, report, next_step = lines[-4:]
    assert page.startswith(f"page: {tmp_path}")
    assert page.endswith("heat_map.html")
    assert record.startswith(f"record: {tmp_path}")
    assert report == f"report: {tmp_path / 'report.html'}"
    assert all(Path(line.split(": ", 1)[1]).is_file() for line in (page, record, report))
    assert next_step.startswith(f"next: csae-bench run --sae pca --results {tmp_path}")


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a small run of custom_sae says on stderr, each line after what was imported then."""
    arguments = [*CUSTOM, "--results", str(tmp_path_factory.mktemp("spoken"))]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, "run", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def test_the_first_lines_come_before_the_heavy_imports(spoken: list[str]) -> None:
    assert spoken[0].startswith("- csae-bench ")
    assert next(line for line in spoken if "importing PyTorch" in line).startswith("- ")
    # so the measure works
    assert any(line.startswith("sae_bench,sae_lens,torch,transformer_lens ") for line in spoken)


def test_no_library_speaks(spoken: list[str]) -> None:
    ours = re.compile(
        r"csae-bench \S+: planning |importing |loading |training |training: step |setting the |"
        r"saving the |checking |evaluating core|writing |page: |record: |report: |next: "
    )
    said = [line.split(" ", 1)[1] for line in spoken]
    assert [line for line in said if not ours.match(line)] == []


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
    assert " left, " in told[-1]
    assert told[-1].endswith(" so far")
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
