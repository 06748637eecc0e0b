"""Ctrl-C and SIGTERM during training: noticed at once, acted on between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import FrameType

from csae_bench.errors import TrainingStopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Requests to stop training."""

    signal: signal.Signals | None = None

    @property
    def is_requested(self) -> bool:
        """True from the first signal on."""
        return self.signal is not None

    def error(self, message: str) -> BaseException:
        """Return the error: KeyboardInterrupt after Ctrl-C, TrainingStopped after SIGTERM."""
        is_keyboard = self.signal == signal.SIGINT
        return KeyboardInterrupt(message) if is_keyboard else TrainingStopped(message)


@contextmanager
def interruption() -> Generator[Interruption]:
    """Note the first signal without acting on it; a second one acts as usual.

    Stopping in the middle of a step would leave weights and counters that do not belong together.
    Outside the main thread, where Python allows no handlers, nothing changes.
    """
    noted = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(number: int, _: FrameType | None) -> None:
        noted.signal = signal.Signals(number)
        _restore(before)

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        _restore(before)


def _restore(handlers: Mapping[signal.Signals, object]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler or signal.SIG_DFL)  # pyright: ignore[reportArgumentType]
