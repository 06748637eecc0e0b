"""Progress of a run on stderr: a line when a step begins, and one every 30 s while it lasts.

Code that takes time calls `begin("evaluating mig")`, and counts a long loop with `counted`. Nothing
is printed unless `reported` is entered, as the command line does. On a terminal a loop draws a bar
instead, and nothing is repeated.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from csae_bench.support.printable import printable

SECONDS_BETWEEN_LINES = 30.0
"""Longest silence while something is being done."""


class ProgressCounter(Protocol):
    """Counter of a loop's steps."""

    def advance(self, loss: float | None = None) -> None:
        """Count one step; the loss where it is known."""
        ...


def begin(what: str) -> None:
    """Say what is done from here on, such as `evaluating mig`."""
    if _reporter is not None:
        _reporter.begin(what)


@contextmanager
def reported(*, repeats: bool) -> Generator[None]:
    """Print what is done within to stderr.

    Args:
        repeats: also say every 30 s what is still being done; for where no bar is drawn.
    """
    global _reporter
    outer, _reporter = _reporter, _Reporter(sys.stderr)
    try:
        with _reporter.repeating() if repeats else _nothing():
            yield
    finally:
        _reporter = outer


@contextmanager
def counted(
    what: str, total: int, *, done: int = 0, rows_a_step: int = 1, bar: bool
) -> Generator[ProgressCounter]:
    """Count the steps of a loop: in a bar, or in the line that is repeated.

    Args:
        done: steps that an earlier attempt has made.
        rows_a_step: tokens in a step.
        bar: draw a bar on stderr.
    """
    if bar:
        from tqdm.auto import tqdm

        with tqdm(total=total, initial=done, desc=what, unit="step") as drawn:
            yield _Bar(drawn)
        return
    counter = _Line(what, total, done, rows_a_step)
    if _reporter is not None:
        _reporter.status = counter.line
    try:
        yield counter
    finally:
        if _reporter is not None:
            _reporter.status = None


def duration(seconds: float) -> str:
    """Format a time as a person says it: 40 s, 3 min, 2 h 5 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


class _Reporter:
    def __init__(self, stream: TextIO) -> None:
        self.status: Callable[[], str] | None = None
        """Text that a loop reports, instead of its duration so far."""
        self._stream = stream
        self._what = ""
        self._since = self._last = time.monotonic()

    def begin(self, what: str) -> None:
        self._what, self._since, self.status = what, time.monotonic(), None
        self._print(f"{what} ...")

    @contextmanager
    def repeating(self) -> Generator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self._repeat, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _repeat(self, stop: threading.Event) -> None:
        while not stop.wait(max(0.01, self._last + SECONDS_BETWEEN_LINES - time.monotonic())):
            if time.monotonic() < self._last + SECONDS_BETWEEN_LINES:
                continue  # a step has begun in the meantime
            status = self.status
            if status is not None:
                self._print(status())
            elif self._what:
                self._print(f"{self._what}, for {duration(time.monotonic() - self._since)} so far")

    def _print(self, line: str) -> None:
        self._last = time.monotonic()
        self._stream.write(f"{printable(line)}\n")
        self._stream.flush()


class _Line:
    def __init__(self, what: str, total: int, done: int, rows_a_step: int) -> None:
        self._what, self._total, self._rows_a_step = what, total, rows_a_step
        self._done = self._at_start = done
        self._loss: float | None = None
        self._started = time.monotonic()

    def advance(self, loss: float | None = None) -> None:
        self._done += 1
        self._loss = self._loss if loss is None else loss

    def line(self) -> str:
        """Return progress, speed and remaining time."""
        parts = [f"{self._what}: step {self._done} of {self._total}"]
        if self._loss is not None:
            parts.append(f"loss {self._loss:.4g}")
        per_second = (self._done - self._at_start) / max(time.monotonic() - self._started, 1e-9)
        if per_second > 0:
            parts.append(f"{per_second * self._rows_a_step:,.0f} tokens/s")
            parts.append(f"{duration((self._total - self._done) / per_second)} left")
        return ", ".join(parts)


class _Bar:
    def __init__(self, drawn: Any) -> None:
        self._drawn = drawn

    def advance(self, loss: float | None = None) -> None:
        if loss is not None:
            self._drawn.set_postfix_str(f"loss {loss:.5g}", refresh=False)
        self._drawn.update()


@contextmanager
def _nothing() -> Generator[None]:
    yield


_reporter: _Reporter | None = None
