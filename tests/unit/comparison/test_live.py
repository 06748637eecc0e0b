"""csae_bench/comparison/live.py."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from csae_bench.comparison import live as live_module
from csae_bench.comparison.live import SHARE, LiveReport, live_report
from csae_bench.results.store import Store
from csae_bench.support.progress import reported
from tests.unit.comparison.result_files import OURS


class _Clock:
    """A clock that a test moves; drawing a page takes `cost` seconds."""

    def __init__(self, cost: float) -> None:
        self.now, self._cost = 0.0, cost

    def __call__(self) -> float:
        self.now += self._cost / 2
        return self.now


def _page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_first_page_is_there_before_any_result(tmp_path: Path) -> None:
    with live_report(Store(tmp_path)) as live:
        live.began(6)
        page = _page(tmp_path)
    assert "0 of 6 steps done" in page
    assert "No results yet" in page


def test_a_step_that_ended_is_on_the_page(tmp_path: Path) -> None:
    clock = _Clock(cost=0.0)
    live = LiveReport(Store(tmp_path), clock)
    live.began(6)
    shutil.copytree(OURS, tmp_path, dirs_exist_ok=True)
    clock.now += 100
    live.ended(2)
    live.close()
    page = _page(tmp_path)
    assert "2 of 6 steps done" in page
    assert "Results of 2 SAEs" in page


def test_a_page_that_would_cost_too_much_is_not_drawn(tmp_path: Path) -> None:
    clock = _Clock(cost=1.0)
    live = LiveReport(Store(tmp_path), clock)
    live.began(6)
    live.ended(1)  # the first costs what imports do, and is not counted
    live.ended(2)
    assert "1 of 6 steps done" in _page(tmp_path)
    clock.now += 2 / SHARE
    live.ended(3)
    live.close()
    assert "3 of 6 steps done" in _page(tmp_path)


def test_a_page_is_told_that_its_run_is_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "SECONDS_BETWEEN_SIGNS", 0.01)
    live = LiveReport(Store(tmp_path))
    live.began(6)
    first = _page(tmp_path)
    deadline = time.monotonic() + 60
    while _page(tmp_path) == first and time.monotonic() < deadline:
        time.sleep(0.01)
    live.close()
    assert _page(tmp_path) != first
    assert "0 of 6 steps done" in _page(tmp_path)


def test_an_error_leaves_a_page_that_waits_for_nothing(tmp_path: Path) -> None:
    shutil.copytree(OURS, tmp_path, dirs_exist_ok=True)

    def interrupted() -> None:
        with live_report(Store(tmp_path)) as live:
            live.began(6)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert 'id="live"' not in _page(tmp_path)
    assert "Results of 2 SAEs" in _page(tmp_path)


def test_a_run_that_never_began_leaves_no_page(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="refused"), live_report(Store(tmp_path)):
        raise ValueError("refused")
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_does_not_stop_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with reported(is_terminal=False), live_report(Store(tmp_path / "file")) as live:
        live.began(6)
        live.ended(1)
    assert "note: no live report: " in capsys.readouterr().err
