"""csae_bench/printable.py."""

from __future__ import annotations

import pytest

from csae_bench.support.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("back\rwards\x00", "back\\rwards\\x00"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202egpj", "\\u202egpj"),
    ],
)
def test_what_steers_a_terminal_is_written_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text", ["", "caf\u00e9 \u65e5\u672c \u2713", "two\nlines\tand a tab", "a\\b"]
)
def test_any_other_text_is_as_it_was(text: str) -> None:
    assert printable(text) == text
