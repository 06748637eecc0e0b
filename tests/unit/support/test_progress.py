"""csae_bench/progress.py."""

from __future__ import annotations

import contextlib
import time

import pytest

from csae_bench.support import progress


def test_nothing_is_printed_by_a_library_call(capsys: pytest.CaptureFixture[str]) -> None:
    progress.begin("evaluating mig")
    with progress.counted("training", 3, bar=False) as counter:
        counter.advance(1.0)
    assert capsys.readouterr() == ("", "")


def test_a_step_says_on_stderr_that_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.reported(repeats=False):
        progress.begin("evaluating mig")
    assert capsys.readouterr() == ("", "evaluating mig ...\n")


def test_a_long_step_says_again_and_again_that_it_lasts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.02)
    with progress.reported(repeats=True):
        progress.begin("evaluating mig")
        time.sleep(0.3)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "evaluating mig ..."
    assert len(lines) > 3
    assert set(lines[1:]) == {"evaluating mig, for 0 s so far"}


def test_a_step_that_begins_puts_off_the_next_repetition(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.4)
    with progress.reported(repeats=True):
        for name in "abcd":
            progress.begin(name)
            time.sleep(0.15)
    assert capsys.readouterr().err.splitlines() == ["a ...", "b ...", "c ...", "d ..."]


def test_a_loop_tells_its_step_loss_speed_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.02)
    with (
        progress.reported(repeats=True),
        progress.counted("training", 488, done=100, rows_a_step=2048, bar=False) as counter,
    ):
        for _ in range(20):
            counter.advance(0.25)
            time.sleep(0.01)
    last = capsys.readouterr().err.splitlines()[-1]
    assert "training: step 1" in last
    assert " of 488, loss 0.25, " in last
    assert last.split(", ", 2)[2].endswith("left")
    assert "tokens/s" in last


def test_silence_returns_after_the_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.02)
    with contextlib.suppress(KeyError), progress.reported(repeats=True):
        progress.begin("a")
        raise KeyError
    capsys.readouterr()
    progress.begin("b")
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_bar_is_drawn_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.counted("training", 2, bar=True) as counter:
        counter.advance(0.5)
        counter.advance()
    assert "2/2" in capsys.readouterr().err


def test_what_steers_a_terminal_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.reported(repeats=False):
        progress.begin("training \x1b[31mred")
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (7500, "2 h 5 min")],
)
def test_a_duration_is_said_as_a_person_says_it(seconds: float, shown: str) -> None:
    assert progress.duration(seconds) == shown
