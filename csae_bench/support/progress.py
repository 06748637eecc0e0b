"""Progress of a run on stderr: a line when a stage begins, and at most 10 s of silence after it.

Code that takes time calls `begin("evaluating mig")`, and counts a long loop with `counted`. Nothing
is printed unless `reported` is entered, as the command line does. A terminal gets one line that is
redrawn every second; a file or a pipe gets a line every 10 s.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from csae_bench.support.printable import printable

SECONDS_BETWEEN_LINES = 10.0
"""Longest silence while something is being done."""

SECONDS_BETWEEN_DRAWINGS = 1.0
"""The same on a terminal, where the line replaces the one before."""

_HEAVY = "sae_lens"
"""The module whose import takes most of a start."""
_ERASE = "\r\x1b[K"


class ProgressCounter(Protocol):
    """Counter of a loop's steps."""

    def advance(self, loss: float | None = None) -> None:
        """Count one step; the loss where it is known."""
        ...


def begin(what: str, *, expected: float | None = None) -> None:
    """Say what is done from here on, such as `evaluating mig`.

    Args:
        expected: seconds that it took before; None if that is not known.
    """
    if _reporter is not None:
        _reporter.begin(what, expected)


def say(what: str) -> None:
    """Print a line that begins no stage."""
    if _reporter is not None:
        _reporter.say(what)


def now() -> str:
    """Return what is being done and how far it is, in words; empty if nobody reports it."""
    return "" if _reporter is None else _reporter.now()


@contextmanager
def during(what: str) -> Generator[None]:
    """Say what is done within; the stage around it goes on afterwards, without another line."""
    if _reporter is None:
        yield
        return
    with _reporter.during(what):
        yield


def begin_imports() -> None:
    """Say that the libraries are being imported, which takes seconds; nothing if they are there."""
    if _HEAVY not in sys.modules:
        begin("importing PyTorch, TransformerLens and SAELens")


@contextmanager
def reported(*, is_terminal: bool) -> Generator[None]:
    """Print what is done within to stderr.

    Args:
        is_terminal: redraw one line every second, instead of a new one every 10 s.
    """
    with reported_by(Reporter(sys.stderr, is_terminal=is_terminal)):
        yield


@contextmanager
def reported_by(reporter: Reporter) -> Generator[None]:
    """Hand what is done within to a reporter."""
    global _reporter
    outer, _reporter = _reporter, reporter
    try:
        with _reporter.repeating():
            yield
    finally:
        _reporter = outer


@contextmanager
def counted(
    what: str, total: int, *, done: int = 0, rows_a_step: int | None = None, bar: bool = False
) -> Generator[ProgressCounter]:
    """Count the steps of a loop: in the line that is repeated, or in a bar.

    Args:
        done: steps that an earlier attempt has made.
        rows_a_step: tokens in a step; None for steps that are not made of tokens.
        bar: draw a bar on stderr, for a caller from Python; nothing is repeated then.
    """
    if bar:
        from tqdm.auto import tqdm

        with tqdm(total=total, initial=done, desc=what, unit="step") as drawn:
            yield _Bar(drawn)
        return
    counter = _Line(what, total, done, rows_a_step)
    with watched(counter.line):
        yield counter


@contextmanager
def watched(status: Callable[[], str]) -> Generator[None]:
    """Repeat, within, what a function says, in place of how long the stage has lasted."""
    reporter = _reporter
    if reporter is None:
        yield
        return
    outer, reporter.status = reporter.status, status
    try:
        yield
    finally:
        reporter.status = outer


def duration(seconds: float) -> str:
    """Format a time as a person says it: 40 s, 3 min, 2 h 5 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


class Reporter:
    """Writer of a run's progress.

    Args:
        stream: where it is written.
        is_terminal: redraw one line, instead of adding lines.
        clock: returns seconds.
    """

    def __init__(
        self, stream: TextIO, *, is_terminal: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.status: Callable[[], str] | None = None
        """Text that a loop reports, instead of its duration so far."""
        self._stream, self._is_terminal, self._clock = stream, is_terminal, clock
        self._what = ""
        self._expected: float | None = None
        self._since = self._last = clock()
        self._is_drawn = False
        self._lock = threading.Lock()

    def begin(self, what: str, expected: float | None = None) -> None:
        """Print the stage that begins."""
        with self._lock:
            self._what, self._expected, self.status = what, expected, None
            self._since = self._clock()
            known = "" if expected is None else f" (took {duration(expected)} last time)"
            self._print(f"{what}{known} ...")

    def say(self, what: str) -> None:
        """Print a line; the stage goes on."""
        with self._lock:
            self._print(what)

    @contextmanager
    def during(self, what: str) -> Generator[None]:
        """Print a stage within another one, which goes on afterwards."""
        outer = self._what, self._expected, self._since, self.status
        self.begin(what)
        try:
            yield
        finally:
            with self._lock:
                self._what, self._expected, self._since, self.status = outer

    def now(self) -> str:
        """Return the stage and how far it is."""
        with self._lock:
            return self._line()

    def tick(self) -> float:
        """Say how far the stage is, if it is time to; return the seconds until the next time."""
        with self._lock:
            left = self._last + self._interval - self._clock()
            if left > 0:
                return left
            line = self._line()
            if line:
                self._print(line, is_passing=True)
            self._last = self._clock()
            return self._interval

    @contextmanager
    def repeating(self) -> Generator[None]:
        """Tick in a thread of its own."""
        stop = threading.Event()
        thread = threading.Thread(target=self._repeat, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            with self._lock:
                self._erase()

    @property
    def _interval(self) -> float:
        return SECONDS_BETWEEN_DRAWINGS if self._is_terminal else SECONDS_BETWEEN_LINES

    def _repeat(self, stop: threading.Event) -> None:
        while not stop.wait(max(0.01, self.tick())):
            pass

    def _line(self) -> str:
        if not self._what:
            return ""
        so_far = f"{duration(self._clock() - self._since)} so far"
        if self.status is not None:
            return f"{self.status()}, {so_far}"
        known = "" if self._expected is None else f" of about {duration(self._expected)}"
        return f"{self._what}: {so_far}{known}"

    def _print(self, line: str, *, is_passing: bool = False) -> None:
        self._last = self._clock()
        self._erase()
        if is_passing and self._is_terminal:
            # a line that wraps could not be erased
            room = max(1, shutil.get_terminal_size().columns - 1)
            self._stream.write(printable(line)[:room])
            self._is_drawn = True
        else:
            self._stream.write(f"{printable(line)}\n")
        self._stream.flush()

    def _erase(self) -> None:
        if self._is_drawn:
            self._stream.write(_ERASE)
            self._stream.flush()
        self._is_drawn = False


class _Line:
    def __init__(self, what: str, total: int, done: int, rows_a_step: int | None) -> None:
        self._what, self._total, self._rows_a_step = what, total, rows_a_step
        self._done = self._at_start = done
        self._loss: float | None = None
        self._started = time.monotonic()

    def advance(self, loss: float | None = None) -> None:
        self._done += 1
        self._loss = self._loss if loss is None else loss

    def line(self) -> str:
        """Return progress, speed and remaining time."""
        share = self._done / max(self._total, 1)
        parts = [f"{self._what}: step {self._done} of {self._total} ({share:.0%})"]
        if self._loss is not None:
            parts.append(f"loss {self._loss:.4g}")
        per_second = (self._done - self._at_start) / max(time.monotonic() - self._started, 1e-9)
        if per_second > 0:
            if self._rows_a_step is not None:
                parts.append(f"{per_second * self._rows_a_step:,.0f} tokens/s")
            parts.append(f"about {duration((self._total - self._done) / per_second)} left")
        return ", ".join(parts)


class _Bar:
    def __init__(self, drawn: Any) -> None:
        self._drawn = drawn

    def advance(self, loss: float | None = None) -> None:
        if loss is not None:
            self._drawn.set_postfix_str(f"loss {loss:.5g}", refresh=False)
        self._drawn.update()


_reporter: Reporter | None = None
