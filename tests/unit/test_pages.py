"""What all HTML pages share."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from csae_bench.pages import embedded, heat, number, render, rounded


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_embedded_json_reads_back_and_cannot_end_its_element(value: object) -> None:
    text = str(embedded(value))
    assert "<" not in text
    assert json.loads(text) == value


def test_nothing_that_is_no_number_is_embedded() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded({"rate": float("nan")})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.50"),
        (-0.004, "0.00"),
        (-0.006, "\u22120.01"),
        (1.0, "1.00"),
        (-12.345, "\u221212.35"),
    ],
)
def test_numbers_have_true_minus_signs_and_no_negative_zero(value: float, text: str) -> None:
    assert number(value) == text


def test_numbers_are_cut_to_what_a_page_shows() -> None:
    assert rounded(0.123456) == 0.1235
    assert rounded(123456.0) == 123500


def test_cells_run_from_red_over_blank_to_blue() -> None:
    assert heat(0.0) == 'class="heat" style="--heat:0"'
    assert heat(0.5) == 'class="heat" style="--heat:0.5"'
    assert heat(7.0) == 'class="heat strong" style="--heat:1"'
    assert heat(-1.0) == 'class="heat negative strong" style="--heat:1"'
    assert heat(None) == 'class="undefined"'


def test_a_page_that_lacks_something_is_not_made() -> None:
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        render("pages/frame.html")


def test_the_frame_lets_a_page_load_nothing() -> None:
    page = render("pages/frame.html", title="A & B")
    assert "<title>A &amp; B</title>" in page
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|src=|@import|url\(", page)
