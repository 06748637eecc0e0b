"""The page of a heat map."""

from __future__ import annotations

import re

from csae_bench.factor_evals.page import Row, html_page, style
from csae_bench.factors.encoding import TopPrompt

EVIL = "<script>alert('x')</script> & \"quoted\""


def _page() -> str:
    return html_page(
        title=f"MIG of {EVIL}",
        caption=EVIL,
        latents=(3, 7),
        rows=[
            Row(factor=EVIL, value="one", is_first=True, cells=[0.25, None]),
            Row(factor=EVIL, value="two", is_first=False, cells=[-1.0, 1.0]),
        ],
        prompts={3: (TopPrompt(0, 1.5, EVIL),), 7: ()},
    )


def test_whatever_text_comes_in_is_escaped() -> None:
    page = _page()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 6


def test_the_page_asks_nothing_of_a_network() -> None:
    assert not re.search(r"https?:|src=|@import|url\(", _page())


def test_cells_are_blank_where_nothing_is_defined() -> None:
    page = _page()
    assert re.findall(r"<td[^>]*>([^<]*)</td>", page) == [
        "0.25",
        "",
        "-1.00",
        "1.00",
    ]


def test_colours_run_from_red_over_white_to_blue() -> None:
    assert style(0.0).startswith("background:rgb(255,255,255)")
    assert style(1.0) == "background:rgb(8,81,156);color:#fff"
    assert style(-1.0) == "background:rgb(165,15,21);color:#fff"
    assert style(None) == "background:#eee"
