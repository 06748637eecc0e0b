"""The page of a heat map."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from csae_bench.engines.factors.page import HeatMapRow, html_page
from csae_bench.factors.encoding import TopPrompt
from tests.browser.fixtures import OpenPage

EVIL = "<script>alert('x')</script> & \"quoted\""


def _page(latents: tuple[int, ...] = (3, 7), title: str = f"MIG of {EVIL}") -> str:
    cells = {3: (0.25, -1.0), 7: (None, 1.0)}
    return html_page(
        title=title,
        caption=EVIL,
        latents=latents,
        rows=[
            HeatMapRow(
                factor=EVIL,
                value=value,
                is_first=row == 0,
                cells=[cells[latent % 10][row] for latent in latents],
            )
            for row, value in enumerate(("one", "two"))
        ],
        prompts={latent: (TopPrompt(0, 1.5, EVIL),) if latent == 3 else () for latent in latents},
    )


def test_whatever_text_comes_in_is_escaped() -> None:
    page = _page()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 6


def test_the_page_asks_nothing_of_a_network() -> None:
    assert not re.search(r"https?:|src=|@import|url\(", _page())


def test_cells_are_blank_where_nothing_is_defined() -> None:
    rows = re.findall(r"<td (?:class|style)[^>]*>([^<]*)</td>", _page())
    assert rows == ["0.25", "", "\u22121.00", "1.00"]


def test_a_latent_without_prompts_says_so() -> None:
    assert "It is silent on every prompt." in _page()


@pytest.mark.browser
def test_in_a_browser_it_shows_text_as_text(tmp_path: Path, open_page: OpenPage) -> None:
    (tmp_path / "map.html").write_text(_page(), encoding="utf-8")
    page = open_page(tmp_path / "map.html", "latent-3")
    assert page.errors() == []
    assert page.external_requests() == []
    assert page.text("h1") == f"MIG of {EVIL}"
    assert page.text("li") == f"1.5{EVIL}"


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_cell_is_readable(tmp_path: Path, open_page: OpenPage, scheme: str) -> None:
    from csae_bench.pages import render

    cells = [i / 20 for i in range(-20, 21)]
    rows = [HeatMapRow(factor="factor", value="value", is_first=True, cells=cells)]
    html = render(
        "engines/factors/heat_map.html", title="", caption="", latents=(), rows=rows, prompts={}
    )
    (tmp_path / "map.html").write_text(html, encoding="utf-8")
    page = open_page(tmp_path / "map.html")
    page.view(scheme="dark" if scheme == "dark" else "light")
    assert page.evaluate("document.querySelectorAll('td.heat').length") == len(cells)
    assert page.contrast("td.heat") > 4.4  # WCAG asks for 4.5; the best one can do is 4.58


@pytest.mark.browser
def test_at_the_width_of_a_phone_the_table_scrolls_and_its_rows_keep_their_names(
    tmp_path: Path, open_page: OpenPage
) -> None:
    (tmp_path / "map.html").write_text(_page(tuple(range(3, 400, 10)), "MIG"), encoding="utf-8")
    page = open_page(tmp_path / "map.html")
    page.view(width=400)
    page.evaluate("document.querySelector('.scroll').scrollLeft = 1000")
    assert page.overflow() == 0
    assert page.evaluate("document.querySelector('tbody th').getBoundingClientRect().x") >= 0
