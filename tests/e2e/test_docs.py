"""Every block of shell and Python in the documentation, executed as it stands there."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from csae_bench.evals import EVALS
from tests.doc_blocks import (
    ROOT,
    RUNS_IN_CHECKOUT,
    Block,
    blocks,
    executed_pages,
    pages,
    plain_commands,
)
from tests.e2e.conftest import CsaeBench


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SAEs that a page trained: another page takes what has the same hash."""
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture
def folder(
    checkpoints: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The folder in which a page's blocks run."""
    folder = tmp_path_factory.mktemp("page")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CSAE_BENCH_CACHE", str(checkpoints.with_name("shared_cache")))
    known = set(EVALS)
    yield folder
    for name in set(EVALS) - known:  # those that a page registers
        EVALS.remove(name)


@pytest.mark.slow
@pytest.mark.parametrize("page", executed_pages())
def test_the_blocks_of_a_page_run(
    page: str,
    folder: Path,
    checkpoints: Path,
    csae_bench: CsaeBench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = pages()[page]
    in_checkout = RUNS_IN_CHECKOUT in text
    if in_checkout:
        _copy_checkout(folder)
        monkeypatch.setenv("PYTHONPATH", str(folder))
    shutil.copytree(checkpoints, folder / "results" / "checkpoints", dirs_exist_ok=True)
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page, text):
        if block.title:
            path = folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code, encoding="utf-8")
        elif block.is_executed and block.language == "python":
            _run_python(block, names)
        elif block.is_executed:
            _run_shell(block, None if in_checkout else plain_commands(block), csae_bench)
    shutil.copytree(folder / "results" / "checkpoints", checkpoints, dirs_exist_ok=True)


def _copy_checkout(folder: Path) -> None:
    """Copy the files of the checkout, as they are now; its environment is linked."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in listed.split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)


def _run_python(block: Block, names: dict[str, Any]) -> None:
    """Run a block among the names of its page; what is printed is not looked at."""
    tree = ast.parse(block.code)
    ast.increment_lineno(tree, block.line)  # a traceback names the page and the line in it
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(tree, block.page, "exec"), names)


def _run_shell(block: Block, calls: list[list[str]] | None, csae_bench: CsaeBench) -> None:
    """Run a block: the calls in this process, which has imported torch, or else a shell."""
    if calls is None:
        process = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.code],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        code, said = process.returncode, f"{process.stdout}\n{process.stderr}"
        assert code == block.exit_code, f"{block.where}\n{said}"
        return
    for number, call in enumerate(calls, 1):
        outcome = csae_bench(*call)
        expected = block.exit_code if number == len(calls) else 0
        assert outcome.exit_code == expected, (
            f"{block.where}: csae-bench {' '.join(call)}\n{outcome.stdout}\n{outcome.stderr}"
        )
