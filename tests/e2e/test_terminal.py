"""`--quiet`, NO_COLOR, FORCE_COLOR and TERM=dumb, in real processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import CUSTOM, CsaeBench

REPOSITORY = Path(__file__).parents[2]
COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-8]|4[0-8]|9[0-7])[0-9;]*m")
COMMANDS = [
    ("compare", "results/baseline"),
    ("doctor", "--sae", "topk"),
    ("explain", "mig.value_mig"),
    ("list",),
    ("--help",),
]


def _shown(arguments: tuple[str, ...], **environment: str) -> str:
    inherited = {
        name: value for name, value in os.environ.items()
        if name not in ("NO_COLOR", "FORCE_COLOR", "TERM")
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "csae_bench.cli", *arguments], capture_output=True, text=True,
        cwd=REPOSITORY, env={**inherited, "TERM": "xterm-256color", **environment}, check=True,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_colours_are_forced() -> None:
    assert COLOUR.search(_shown(("compare", "results/baseline"), FORCE_COLOR="1"))


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: each[0])
@pytest.mark.parametrize(
    "environment",
    [{}, {"NO_COLOR": "1"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}],
    ids=["pipe", "no-color", "no-color-goes-before-force"],
)
def test_there_is_no_colour(arguments: tuple[str, ...], environment: dict[str, str]) -> None:
    assert COLOUR.search(_shown(arguments, **environment)) is None


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: each[0])
def test_a_dumb_terminal_gets_no_codes(arguments: tuple[str, ...]) -> None:
    assert "\x1b" not in _shown(arguments, FORCE_COLOR="1", TERM="dumb")


def test_quiet_leaves_results_and_nothing_else(csae_bench: CsaeBench, tmp_path: Path) -> None:
    loud = csae_bench("run", *CUSTOM, "--results", tmp_path / "results")
    again = csae_bench("run", *CUSTOM, "--results", tmp_path / "results", "--quiet")
    assert (loud.exit_code, again.exit_code) == (0, 0)
    assert "report: " in loud.stderr
    assert again.stderr == ""
    assert "core" in again.stdout


def test_quiet_leaves_errors(csae_bench: CsaeBench, tmp_path: Path) -> None:
    flags = ("--results", tmp_path / "results", "--set", "sae.k=0", "-q")
    outcome = csae_bench("run", "--sae", "topk", *flags)
    assert outcome.exit_code == 2
    assert [line.partition(":")[0] for line in outcome.stderr.splitlines()] == ["error"]
