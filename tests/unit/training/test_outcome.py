"""Outcome of a training, on disk."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from csae_bench.errors import ResultError
from csae_bench.training.outcome import TrainingOutcome, read_outcome, write_outcome

OUTCOME = TrainingOutcome(
    planned_steps=10,
    executed_steps=7,
    n_tokens_used=1792,
    final_loss=None,
    wall_seconds=1.5,
    peak_memory_gib=0.5,
    epochs=0,
)


def test_outcome_round_trips(tmp_path: Path) -> None:
    finished = replace(OUTCOME, l0_training=16.0, l0_inference=16.1, threshold=0.2)
    write_outcome(tmp_path, finished)
    assert read_outcome(tmp_path) == finished


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"planned_steps": 1}'])
def test_a_broken_outcome_is_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "training.json").write_text(content)
    with pytest.raises(ResultError, match=r"training\.json: cannot be read"):
        read_outcome(tmp_path)


def test_a_missing_outcome_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="No such file"):
        read_outcome(tmp_path)


def test_reading_an_outcome_does_not_import_torch() -> None:
    code = "import sys, csae_bench.training.outcome; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
