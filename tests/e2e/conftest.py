"""Running the command line in this process, at sizes that take seconds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from csae_bench.cli.main import main

SMALL = (
    "--evals", "core",
    "--set", "sae.d_sae=256",
    "--set", "training.n_tokens=40960",
    "--set", "training.batch_size=1024",
    "--set", "training.lr_warm_up_steps=2",
    "--set", "training.lr_decay_steps=4",
    "--set", "activations.pairs_in_buffer=2048",
    "--set", "pairs.minimal.n_pairs=512",
    "--set", "threads=1",
    "--set", "evals.core.n_eval_reconstruction_batches=2",
    "--set", "evals.core.n_eval_sparsity_variance_batches=2",
    "--set", "evals.core.context_size=64",
)  # fmt: skip
"""Flags that make a run of custom_sae or of a twin take seconds."""

CUSTOM = (
    "--sae", "custom_sae",
    "--set", "sae.losses.sparse_shift.warm_up_steps=2",
    *SMALL,
)  # fmt: skip
"""A run of custom_sae that takes seconds."""

CsaeBench = Callable[..., Result]


@pytest.fixture(scope="session")
def csae_bench() -> CsaeBench:
    """Calls the command line; the result has exit_code, stdout and stderr."""
    runner = CliRunner()

    def call(*arguments: str | Path) -> Result:
        return runner.invoke(main, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def finished(_finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder in which a small custom_sae was trained and evaluated; each test's own."""
    folder = tmp_path_factory.mktemp("finished") / "results"
    shutil.copytree(_finished, folder)
    return folder


@pytest.fixture(scope="session")
def _finished(csae_bench: CsaeBench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("finished")
    outcome = csae_bench("run", *CUSTOM, "--results", results)
    assert outcome.exit_code == 0, outcome.stderr
    return results
