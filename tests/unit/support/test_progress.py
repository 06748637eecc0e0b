"""csae_bench/support/progress.py."""

from __future__ import annotations

import contextlib
import io
import threading

import pytest

from csae_bench.support import progress
from csae_bench.support.progress import Reporter


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A reporter on a stream and a clock of the test's own."""

    def __init__(self, *, is_terminal: bool = False) -> None:
        self.clock, self.stream = Clock(), io.StringIO()
        self.reporter = Reporter(self.stream, is_terminal=is_terminal, clock=self.clock)

    def after(self, seconds: float) -> float:
        """Let time pass and tick once; the seconds until the next tick."""
        self.clock.now += seconds
        return self.reporter.tick()

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_nothing_is_printed_by_a_library_call(capsys: pytest.CaptureFixture[str]) -> None:
    progress.begin("evaluating mig")
    with progress.counted("training", 3) as counter:
        counter.advance(1.0)
    assert capsys.readouterr() == ("", "")


def test_a_stage_says_on_stderr_that_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.reported(is_terminal=False):
        progress.begin("evaluating mig")
    assert capsys.readouterr() == ("", "evaluating mig ...\n")


def test_a_pipe_gets_a_line_after_every_ten_seconds_of_silence() -> None:
    watched = Watched()
    watched.reporter.begin("evaluating mig")
    silences: list[float] = []
    for _ in range(3):
        silences.append(watched.after(0))
        watched.after(silences[-1])
    assert silences == [10, 10, 10]
    assert watched.lines == [
        "evaluating mig ...",
        "evaluating mig: 10 s so far",
        "evaluating mig: 20 s so far",
        "evaluating mig: 30 s so far",
    ]


def test_nothing_is_said_again_before_its_time() -> None:
    watched = Watched()
    watched.reporter.begin("evaluating mig")
    assert watched.after(9) == pytest.approx(1)
    assert watched.lines == ["evaluating mig ..."]


def test_a_stage_that_begins_puts_off_the_next_line() -> None:
    watched = Watched()
    for name in "abc":
        watched.reporter.begin(name)
        watched.after(6)
    assert watched.lines == ["a ...", "b ...", "c ..."]


def test_a_stage_with_a_known_duration_says_what_to_expect() -> None:
    watched = Watched()
    watched.reporter.begin("evaluating mig", 34.6)
    watched.after(10)
    assert watched.lines == [
        "evaluating mig (took 35 s last time) ...",
        "evaluating mig: 10 s so far of about 35 s",
    ]


def test_a_loop_tells_its_step_share_loss_speed_and_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched()
    monkeypatch.setattr(progress, "_reporter", watched.reporter)
    progress.begin("training, 488 steps")
    with progress.counted("training", 488, done=100, rows_a_step=2048) as counter:
        for _ in range(22):
            counter.advance(0.25)
        watched.after(10)
        watched.after(10)
    first, *_, last = watched.lines[1:]
    assert first.startswith("training: step 122 of 488 (25%), loss 0.25, ")
    assert "tokens/s, about " in first
    assert first.endswith(" left, 10 s so far")
    assert last.endswith(" left, 20 s so far")


def test_an_outer_loop_is_told_again_after_the_inner_one(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched()
    monkeypatch.setattr(progress, "_reporter", watched.reporter)
    progress.begin("evaluating")
    with progress.counted("outer", 2):
        with progress.counted("inner", 5):
            watched.after(10)
        watched.after(10)
    watched.after(10)
    assert [line.partition(":")[0] for line in watched.lines[1:]] == [
        "outer" if i else "inner" for i in range(2)
    ] + ["evaluating"]


def test_the_stage_around_another_goes_on_afterwards() -> None:
    watched = Watched()
    watched.reporter.begin("making pca")
    watched.clock.now += 5
    with watched.reporter.during("loading the model"):
        watched.after(10)
    watched.after(10)
    assert watched.lines == [
        "making pca ...",
        "loading the model ...",
        "loading the model: 10 s so far",
        "making pca: 25 s so far",
    ]


def test_a_terminal_redraws_one_line_every_second() -> None:
    watched = Watched(is_terminal=True)
    watched.reporter.begin("evaluating mig")
    for _ in range(3):
        assert watched.after(1) == 1
    watched.reporter.begin("evaluating core")
    shown = watched.stream.getvalue()
    assert shown.count("\n") == 2  # one for each stage
    assert shown.count("\r\x1b[K") == 3
    assert shown.endswith("\r\x1b[Kevaluating core ...\n")


def test_a_redrawn_line_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    watched = Watched(is_terminal=True)
    watched.reporter.begin("a stage with a name that is long")
    watched.after(1)
    assert watched.lines[1] == "a stage with a name"


def test_the_silence_is_broken_by_a_thread_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticked = threading.Event()

    def tick(self: Reporter) -> float:
        ticked.set()
        return 10.0

    monkeypatch.setattr(Reporter, "tick", tick)
    with progress.reported(is_terminal=False):
        assert ticked.wait(timeout=60)


def test_silence_returns_after_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    n_threads = threading.active_count()
    with contextlib.suppress(KeyError), progress.reported(is_terminal=False):
        progress.begin("a")
        raise KeyError
    assert threading.active_count() == n_threads
    capsys.readouterr()
    progress.begin("b")
    assert capsys.readouterr().err == ""


def test_imports_are_announced_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress.reported(is_terminal=False):
        monkeypatch.delitem(progress.sys.modules, "sae_lens", raising=False)
        progress.begin_imports()
        monkeypatch.setitem(progress.sys.modules, "sae_lens", progress)
        progress.begin_imports()
    assert capsys.readouterr().err == "importing PyTorch, TransformerLens and SAELens ...\n"


def test_a_bar_is_drawn_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.counted("training", 2, bar=True) as counter:
        counter.advance(0.5)
        counter.advance()
    assert "2/2" in capsys.readouterr().err


def test_what_steers_a_terminal_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.reported(is_terminal=False):
        progress.begin("training \x1b[31mred")
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (7500, "2 h 5 min")],
)
def test_a_duration_is_said_as_a_person_says_it(seconds: float, shown: str) -> None:
    assert progress.duration(seconds) == shown
