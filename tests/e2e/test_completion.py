"""`csae-bench completion` in real shells."""

from __future__ import annotations

import os
import pty
import resource
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import CsaeBench

BIN = Path(sys.executable).parent
LIMIT = 0.3
"""Seconds of processor time that a completion may take."""
INTERACTIVE = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], ""),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -D -u; "),
}

needs_command = pytest.mark.skipif(
    not (BIN / "csae-bench").exists(), reason="csae-bench is not installed"
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The command on the path, and a cache folder of the test's own."""
    return {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HOME": str(tmp_path),
        "TERM": "dumb",
    }


def _needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


def _typed(shell: str, keys: str, expected: str, environment: dict[str, str]) -> str:
    """What an interactive shell shows after these keys, read until it shows what is expected."""
    command, setup = INTERACTIVE[shell]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, environment)
    try:
        os.write(
            terminal, f'{setup}eval "$(csae-bench completion {shell})"; echo re""ady\n'.encode()
        )
        _read_until(terminal, "\nready", 60)
        os.write(terminal, keys.encode())
        return _read_until(terminal, expected, 60)
    finally:
        os.close(terminal)
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def _read_until(terminal: int, expected: str, seconds: float) -> str:
    shown, end = "", time.monotonic() + seconds
    while expected not in _without_bells(shown) and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    return _without_bells(shown)


def _without_bells(text: str) -> str:
    return text.replace("\r", "").replace("\a", "")


@needs_command
@pytest.mark.parametrize("shell", INTERACTIVE)
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("csae-bench expl\t", "csae-bench explain "),
        ("csae-bench run --sae custom_sae_\t", "--sae custom_sae_small "),
        ("csae-bench run --sae=custom_sae_\t", "--sae=custom_sae_small "),
        ("csae-bench run --evals mig,factor_v\t", "--evals mig,factor_vae "),
        ("csae-bench run --set evals.mig.n_bi\t8", "evals.mig.n_bins=8"),
        ("csae-bench explain mig.value_mig_be\b\b\b\t", "explain mig.value_mig"),
    ],
)
def test_a_shell_completes_what_is_typed(
    shell: str, keys: str, expected: str, environment: dict[str, str]
) -> None:
    _needs(shell)
    assert expected in _typed(shell, keys, expected, environment)


@needs_command
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("csae-bench ca", ["cache"]),
        ("csae-bench run --sae custom_sae_", ["custom_sae_small"]),
        ("csae-bench run --sae=custom_sae_", ["--sae=custom_sae_small"]),
        ("csae-bench run --evals mig,factor_v", ["mig,factor_vae"]),
        ("csae-bench explain mig.v", ["mig.value_mig"]),
    ],
)
def test_fish_completes_what_is_typed(
    line: str, offered: list[str], environment: dict[str, str]
) -> None:
    _needs("fish")
    code = f'csae-bench completion fish | source; complete -C "{line}"'
    done = subprocess.run(
        ["fish", "--no-config", "-c", code], capture_output=True, text=True, env=environment
    )
    assert [text.split("\t")[0] for text in done.stdout.splitlines()] == offered, done.stderr


def _completed(words: str, environment: dict[str, str]) -> list[str]:
    asked = {
        **environment,
        "_CSAE_BENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": words.replace(" ", "\n"),
        "COMP_CWORD": str(words.count(" ")),
    }
    done = subprocess.run([BIN / "csae-bench"], capture_output=True, text=True, env=asked)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@needs_command
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("csae-bench run --sae = custom_sae_", ["custom_sae_small"]),
        ("csae-bench run --pre", ["--preset"]),
        ("csae-bench run --preset q", ["quick"]),
        ("csae-bench run --device cu", ["cuda"]),
        ("csae-bench run --executor r", ["ray"]),
        ("csae-bench list ev", ["evals"]),
        ("csae-bench completion z", ["zsh"]),
        ("csae-bench init mine --architecture topk", ["topk"]),
        ("csae-bench init mine --like smollm2_", ["smollm2_batchtopk"]),
        ("csae-bench run --set nothing", []),
        ("csae-bench nothing", []),
    ],
)
def test_commands_options_and_values_are_offered(
    words: str, offered: list[str], environment: dict[str, str]
) -> None:
    assert _completed(words, environment) == offered


@needs_command
@pytest.mark.parametrize(
    "words",
    [
        "csae-bench r",
        "csae-bench run --sae cu",
        "csae-bench run --model t",
        "csae-bench run --evals mig,",
        "csae-bench run --set sae.",
        "csae-bench explain mig.",
    ],
)
def test_a_completion_takes_little_time(words: str, environment: dict[str, str]) -> None:
    _completed(words, environment)  # finds the names out
    times: list[float] = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _completed(words, environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) <= LIMIT  # the least: others may use the machine


def test_an_unknown_shell_is_a_usage_error(csae_bench: CsaeBench) -> None:
    outcome = csae_bench("completion", "tcsh")
    assert outcome.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in outcome.stderr
