"""First-letter absorption from the command line, where a model has no spelling."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.conftest import CsaeBench


def test_a_word_level_model_is_skipped_with_the_reason(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    asked = ("--sae", "random", "--evals", "absorption_first_letter", "--results", tmp_path)
    done = csae_bench("run", *asked, "--set", "threads=1")
    assert done.exit_code == 0, done.stdout + done.stderr
    (record,) = (tmp_path / "runs").glob("*.json")
    cell = json.loads(record.read_text())["cells"]["absorption_first_letter"]
    assert cell["status"] == "skipped"
    assert "word-level tokenizer" in " ".join(map(str, cell["reasons"]))
    said = csae_bench("doctor", *asked)
    assert said.exit_code == 0
    assert "will be skipped" in " ".join(said.stdout.split())
