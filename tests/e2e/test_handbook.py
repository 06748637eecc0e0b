"""Every command of docs/evals.md, as it stands there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from csae_bench.evals.pages import PAGES
from tests.e2e.conftest import CsaeBench

PAGE = Path(__file__).parents[2] / "docs" / "evals.md"
COMMANDS = re.findall(r"^csae-bench (run .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_there_is_a_command_for_every_eval() -> None:
    assert len(COMMANDS) == len(PAGES.shipped)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("handbook")


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_gives_results_or_a_reason(
    csae_bench: CsaeBench, results: Path, command: str
) -> None:
    outcome = csae_bench(*shlex.split(command), "--results", results, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    record = json.loads(outcome.stdout)
    (name,) = re.findall(r"--evals (\S+)", command)
    cells = {cell: of for cell, of in record["cells"].items() if cell.startswith(name)}
    assert cells
    for of in cells.values():
        assert of["status"] in ("ok", "skipped")
        assert of["status"] == "ok" or of["reasons"]
