"""The examples in the docstrings of public names run, and say what comes out."""

from __future__ import annotations

import doctest
import importlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import csae_bench
from csae_bench import evals, metrics
from csae_bench.metrics.summary import METRICS

PUBLIC = {
    **{f"csae_bench.{name}": csae_bench for name in csae_bench.__all__ if name != "__version__"},
    **{f"csae_bench.metrics.{name}": metrics for name in sorted(METRICS)},
}


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(Path(__file__).parents[2])
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():  # SAELens's runner leaves its own behind
        signal.signal(number, handler)
    evals.EVALS.remove("decoder_norm")  # the example's own


def _run(function: Any) -> tuple[int, str]:
    """The number of examples in an object's docstring, and what they printed that was wrong."""
    module = sys.modules[function.__module__]
    finder = doctest.DocTestFinder(recurse=False)
    printed: list[str] = []
    count = 0
    for test in finder.find(function, function.__qualname__, module=module):
        count += len(test.examples)
        doctest.DocTestRunner(verbose=False).run(test, out=printed.append)
    return count, "".join(printed)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_an_example_that_runs(name: str) -> None:
    count, wrong = _run(getattr(PUBLIC[name], name.rpartition(".")[2]))
    assert count > 0, f"{name} has no example"
    assert not wrong, wrong


def test_the_metrics_package_has_an_example_that_runs() -> None:
    result = doctest.testmod(importlib.import_module("csae_bench.metrics"))
    assert result.attempted > 0
    assert result.failed == 0


def test_what_a_package_exports_is_there() -> None:
    assert all(getattr(metrics, name) is not None for name in metrics.__all__)
    assert all(getattr(csae_bench, name) is not None for name in csae_bench.__all__)
