"""Text in a picture."""

from __future__ import annotations

import pytest

from csae_bench.comparison.outputs.lettering import MAX_CHARACTERS, drawable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("custom_sae", "custom_sae"),
        ("café µ → 😀", "café µ → 😀"),
        ("模型", "\\u6a21\\u578b"),
        ("a\x1b[31m", "a\\x1b[31m"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("a\udc80", "a\\udc80"),
    ],
)
def test_what_the_font_lacks_is_an_escape(text: str, shown: str) -> None:
    assert drawable(text) == shown


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    shown = drawable(f"first_{'x' * 500}_last")
    assert shown.startswith("first_x")
    assert shown.endswith("x_last")
    assert len(shown) <= MAX_CHARACTERS
