"""Fixtures of tests in a browser; they skip where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.page import Page

COMMANDS = ("chromium", "chromium-browser", "google-chrome")

OpenPage = Callable[..., Page]

_FLAGS = (
    "--no-sandbox",  # there is none for root, who runs tests in containers
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have 64 MiB there, too few for a large page
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


# of a module, not of the session: Playwright keeps an event loop running in this thread, with
# which tests that start one of their own would fail
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for a file of tests, in which no host name resolves."""
    command = next(filter(None, map(shutil.which, COMMANDS)), None)
    if command is None:
        pytest.skip(
            f"no browser: none of {', '.join(COMMANDS)} is on PATH; on Debian, "
            "`apt-get install chromium` brings one"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=command, args=list(_FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
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
