"""Fixtures of tests in a browser; they skip where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.devtools import Chromium
from tests.browser.page import Page

COMMANDS = ("chromium", "chromium-browser", "google-chrome")

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One Chromium for all tests, with a profile of its own."""
    command = next(filter(None, map(shutil.which, COMMANDS)), None)
    if command is None:
        pytest.skip(
            f"no browser: none of {', '.join(COMMANDS)} is on PATH; on Debian, "
            "`apt-get install chromium` brings one"
        )
    browser = Chromium(command, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def open_page(chromium: Chromium) -> Iterator[OpenPage]:
    """Opens a file: `open_page(path, "latent=17")`, the fragment being optional."""
    opened: list[Page] = []

    def opens(path: Path, fragment: str = "") -> Page:
        page = Page(chromium)
        opened.append(page)
        page.view()
        page.go(path.resolve().as_uri() + (f"#{fragment}" if fragment else ""))
        return page

    yield opens
    for page in opened:
        page.close()
