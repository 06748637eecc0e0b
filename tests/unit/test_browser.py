"""The browser that tests look at pages with sees what it must see."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Error

from tests.browser.fixtures import OpenPage

pytestmark = pytest.mark.browser


def _file(folder: Path, html: str) -> Path:
    path = folder / "page.html"
    path.write_text(f"<!doctype html><html><body>{html}", encoding="utf-8")
    return path


def test_scripts_have_run_when_a_page_is_open(tmp_path: Path, open_page: OpenPage) -> None:
    script = "<h1></h1><script>document.querySelector('h1').textContent = 1 + 1</script>"
    page = open_page(_file(tmp_path, script))
    assert page.text("h1") == "2"
    assert "<h1>2</h1>" in page.dom()
    assert page.errors() == []


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("nothing.here()", "nothing is not defined"),
        ("console.error('out of cheese')", "out of cheese"),
        ("Promise.reject(new Error('later'))", "later"),
    ],
)
def test_what_goes_wrong_in_a_page_is_known(
    tmp_path: Path, open_page: OpenPage, script: str, said: str
) -> None:
    errors = open_page(_file(tmp_path, f"<script>{script}</script>")).errors()
    assert len(errors) == 1
    assert said in errors[0]


def test_a_request_to_elsewhere_is_seen_and_fails(tmp_path: Path, open_page: OpenPage) -> None:
    page = open_page(_file(tmp_path, "<img src='https://example.com/a.png'>"))
    assert page.external_requests() == ["https://example.com/a.png"]
    assert "ERR_NAME_NOT_RESOLVED" in page.errors()[0]


def test_a_page_without_one_asks_for_nothing_but_itself(
    tmp_path: Path, open_page: OpenPage
) -> None:
    path = _file(tmp_path, "quiet")
    page = open_page(path, "part=2")
    assert page.external_requests() == []
    assert [url.split("#")[0] for url in page.requests()] == [path.as_uri()]


def test_keys_and_clicks_arrive(tmp_path: Path, open_page: OpenPage) -> None:
    page = open_page(_file(tmp_path, "<input><button onclick='this.append(1)'>n</button>"))
    page.click("input")
    page.type("words")
    page.press("Tab")
    page.press("Enter")
    page.click("button")
    assert page.evaluate("document.querySelector('input').value") == "words"
    assert page.text("button") == "n11"


def test_a_window_is_as_wide_and_as_dark_as_asked(tmp_path: Path, open_page: OpenPage) -> None:
    page = open_page(_file(tmp_path, "<div style='width: 500px'>wide</div>"))
    page.view(width=400, scheme="dark")
    assert page.evaluate("innerWidth") == 400
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert page.overflow() == 108  # 500, and the body's margin of 8, in 400


def test_a_screenshot_is_a_picture(tmp_path: Path, open_page: OpenPage) -> None:
    open_page(_file(tmp_path, "text")).screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_an_expression_that_throws_is_an_error_of_the_test(
    tmp_path: Path, open_page: OpenPage
) -> None:
    with pytest.raises(Error, match="nothing is not defined"):
        open_page(_file(tmp_path, "text")).evaluate("nothing.here")
