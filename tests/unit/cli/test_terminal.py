"""Warnings on the command line."""

from __future__ import annotations

import io

import pytest

from csae_bench.activations.cache.entry import CacheWarning
from csae_bench.activations.sources import EpochWarning
from csae_bench.cli import terminal


def _shown(category: type[Warning], capsys: pytest.CaptureFixture[str]) -> str:
    terminal._show_warning("a/b: is\x1b[31m damaged.", category, __file__, 1)
    return capsys.readouterr().err


def test_a_warning_for_the_user_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert _shown(CacheWarning, capsys) == "note: a/b: is\\x1b[31m damaged.\n"


def test_another_warning_says_where_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert _shown(EpochWarning, capsys).startswith(f"{__file__}:1: EpochWarning: a/b")


@pytest.mark.parametrize(
    ("is_terminal", "term", "can"),
    [(True, "xterm", True), (True, "dumb", False), (False, "xterm", False)],
)
def test_a_line_is_redrawn_only_where_it_can_be_erased(
    is_terminal: bool, term: str, can: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return is_terminal

    monkeypatch.setenv("TERM", term)
    assert terminal.can_redraw(Stream()) == can
