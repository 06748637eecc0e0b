"""Signals are noted between steps, and act as always outside."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from csae_bench.errors import TrainingError
from csae_bench.training.interruption import interruption


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, TrainingError)]
)
def test_the_first_signal_is_noted(number: signal.Signals, error: type[BaseException]) -> None:
    with interruption() as stop:
        assert not stop.is_requested
        os.kill(os.getpid(), number)
        assert stop.is_requested
        assert stop.signal == number
        with pytest.raises(error, match="stopped"):
            raise stop.error("stopped")


def test_a_second_signal_acts_as_before() -> None:
    class Acted(Exception):
        pass

    def act(*_: object) -> None:
        raise Acted

    before = signal.signal(signal.SIGINT, act)
    try:
        with interruption():
            os.kill(os.getpid(), signal.SIGINT)
            with pytest.raises(Acted):
                os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interruption() as stop:
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert not stop.is_requested
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_outside_the_main_thread_nothing_changes() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def work() -> None:
        with interruption() as stop:
            seen.extend([signal.getsignal(signal.SIGTERM), stop.is_requested])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before, False]
