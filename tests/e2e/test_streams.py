"""Broken pipes, full disks and closed descriptors below the command line, in real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
COMMAND = f"{sys.executable} -m csae_bench.cli"
FULL = Path("/dev/full")

needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line in which `csae-bench` stands for the command."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line.replace('csae-bench', COMMAND)}"],
        capture_output=True, text=True, timeout=120, cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip


def with_a_reader_that_left(arguments: Sequence[str], *, both: bool) -> tuple[int, bytes]:
    """Exit code and stderr of a command whose stdout nobody reads from the start."""
    reader, writer = os.pipe()
    os.close(reader)
    stderr = writer if both else subprocess.PIPE
    done = subprocess.run(
        [sys.executable, "-m", "csae_bench.cli", *arguments], stdout=writer, stderr=stderr,
        timeout=120, cwd=REPOSITORY, check=False,
    )  # fmt: skip
    os.close(writer)
    return done.returncode, done.stderr or b""


@pytest.mark.parametrize("both", [False, True], ids=["stdout", "stdout-and-stderr"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--help",), 0),
        (("--version",), 0),
        (("list",), 0),
        (("list", "--json"), 0),
        (("list", "nonesuch"), 2),
        (("nonesuch",), 2),
        (("compare", "results/baseline"), 0),
        (("compare", "results/baseline", "--json"), 0),
        (("compare", "results/baseline", "--fail-on", "nonesuch:-0.01"), 2),
        (("doctor", "--sae", "topk"), 0),
        (("doctor", "--sae", "topk", "--json", "--set", "sae.k=0"), 2),
    ],
)
def test_a_reader_that_left_changes_no_exit_code_and_is_no_news(
    arguments: tuple[str, ...], code: int, both: bool
) -> None:
    result, stderr = with_a_reader_that_left(arguments, both=both)
    assert result == code, stderr
    assert b"Traceback" not in stderr
    assert b"pipe" not in stderr.lower()


@pytest.mark.parametrize("line", ["csae-bench list", "csae-bench compare results/baseline --json"])
@pytest.mark.parametrize("redirected", ["", "2>&1"])
def test_head_sees_its_line_and_the_pipe_succeeds(line: str, redirected: str) -> None:
    done = shell(f"{line} {redirected} | head -1")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


@needs_full
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("csae-bench list", 4),
        ("csae-bench list evals", 4),  # short: flushed at exit
        ("csae-bench --version", 4),
        ("csae-bench --help", 4),
        ("csae-bench compare results/baseline", 4),
        ("csae-bench compare results/baseline --json", 4),
        ("csae-bench doctor --sae topk --set sae.k=0", 2),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_below_stdout_is_a_sentence(line: str, code: int, unbuffered: str) -> None:
    done = shell(f"{line} >/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == code
    assert done.stderr.splitlines()[-1] == (
        "error: stdout cannot be written: No space left on device."
    )
    assert "Traceback" not in done.stderr


@needs_full
def test_a_full_disk_below_stderr_changes_no_exit_code() -> None:
    assert shell("csae-bench list nonesuch 2>/dev/full").returncode == 2
    assert shell("csae-bench list evals 2>/dev/full").returncode == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("line", "code"), [("list", 0), ("list nonesuch", 2), ("--help", 0)])
def test_a_closed_stream_changes_no_exit_code(closed: str, line: str, code: int) -> None:
    done = shell(f"csae-bench {line} {closed}")
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_what_is_printed_to_a_closed_stdout_lands_in_no_file(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert shell(f"csae-bench compare results/baseline --md {page} >&-").returncode == 0
    assert page.read_text().startswith("#")


def test_an_exit_code_of_1_survives_a_broken_pipe(tmp_path: Path) -> None:
    code = (
        "import sys, click\n"
        "from csae_bench.cli.terminal import Group\n"
        "@click.group(cls=Group)\n"
        "def main(): pass\n"
        "@main.command()\n"
        "def judge():\n"
        "    for _ in range(100_000): click.echo('worse')\n"
        "    sys.exit(1)\n"
        "main(['judge'])\n"
    )
    script = tmp_path / "judge.py"
    script.write_text(code)
    done = shell(f"{sys.executable} {script} | head -1; echo ${{PIPESTATUS[0]}}")
    assert done.stdout.split() == ["worse", "1"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        ("PermissionError(13, 'Permission denied', '/x')", "error: /x: Permission denied."),
        ("OSError(28, 'No space left on device')", "error: No space left on device."),
        ("MemoryError()", "error: memory ran out."),
    ],
)
def test_what_the_machine_is_to_blame_for_is_called_no_bug(
    raised: str, sentence: str, tmp_path: Path
) -> None:
    script = tmp_path / "fails.py"
    script.write_text(
        "import click\n"
        "from csae_bench.cli.terminal import Group\n"
        "@click.group(cls=Group)\n"
        "def main(): pass\n"
        "@main.command()\n"
        f"def fail(): raise {raised}\n"
        "main(['fail'])\n"
    )
    done = shell(f"{sys.executable} {script}")
    assert done.returncode == 4
    assert done.stderr.startswith(sentence)
    assert "Traceback" not in done.stderr
