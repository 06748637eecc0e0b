"""A page open in Chromium: what is on it, what it asked for, what it complained of."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Error

# a canvas turns whatever CSS calls a colour into red, green and blue
_CONTRAST = """selector => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const luminance = colour => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(part =>
      part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  return Math.min(...[...document.querySelectorAll(selector)].map(element => {
    const style = getComputedStyle(element);
    const [low, high] = [luminance(style.color), luminance(style.backgroundColor)].sort(
      (a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }));
}"""
_SETTLED = """new Promise(done => setTimeout(() =>
  requestAnimationFrame(() => requestAnimationFrame(() => done(true))), 0))"""

_GRAVE = ("serious", "critical")


TIMEOUT = 60.0
"""Seconds to wait for a page to become what it should. Generous: the machine may be busy."""


class Page:
    """One page, in a profile of its own."""

    def __init__(self, browser: Browser) -> None:
        self._context = browser.new_context()
        self._page = self._context.new_page()
        self._errors: list[str] = []
        self._requests: list[str] = []
        self._page.on("pageerror", lambda error: self._errors.append(str(error)))
        self._page.on("console", self._hear)
        self._page.on("request", lambda request: self._requests.append(request.url))

    def go(self, url: str) -> None:
        """Opens `url` and returns when it has loaded and its scripts have run."""
        self._page.goto(url)
        self._settle()

    def set_fragment(self, fragment: str) -> None:
        """Goes to another fragment of the same page, as a link does."""
        self.evaluate(f"location.hash = {fragment!r}")
        self._settle()

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; of a promise, what it resolves to.

        Raises:
            playwright.sync_api.Error: the expression throws.
        """
        return self._page.evaluate(expression)

    def text(self, selector: str) -> str:
        """The visible text of the first element that a CSS selector finds."""
        return self._page.locator(selector).first.inner_text()

    def texts(self, selector: str) -> list[str]:
        """The visible text of each element that a CSS selector finds and that is shown."""
        return self.evaluate(
            f"[...document.querySelectorAll({selector!r})]"
            ".filter(e => e.checkVisibility()).map(e => e.innerText)"
        )

    def dom(self) -> str:
        """The page's HTML as its scripts have made it."""
        return self._page.content()

    def click(self, selector: str) -> None:
        """Clicks the first element that a CSS selector finds."""
        self._page.locator(selector).first.click()
        self._settle()

    def press(self, key: str) -> None:
        """Presses a key by its name in browsers: Enter, Tab, ArrowDown, /."""
        self._page.keyboard.press(key)
        self._settle()

    def type(self, text: str) -> None:
        """Types text into what has the focus."""
        self._page.keyboard.insert_text(text)
        self._settle()

    def wait_for(self, expression: str) -> None:
        """Returns when a JavaScript expression is true, also after the page loaded itself again.

        Raises:
            AssertionError: it is not true within `TIMEOUT`.
        """
        # not Playwright's wait_for_function, which the pages' content security policy forbids
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            with contextlib.suppress(Error):  # the page is being loaded again
                if self.evaluate(expression):
                    return
            self._page.wait_for_timeout(100)
        raise AssertionError(f"not true after {TIMEOUT:.0f} s: {expression}")

    def view(
        self,
        *,
        width: int = 1280,
        height: int = 900,
        scheme: Literal["light", "dark"] = "light",
        media: Literal["screen", "print"] = "screen",
    ) -> None:
        """Sets the window's size in CSS pixels, light or dark, and screen or print."""
        self._page.set_viewport_size({"width": width, "height": height})
        self._page.emulate_media(color_scheme=scheme, media=media)
        self._settle()

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Writes a PNG of the window, or of the whole page."""
        self._page.screenshot(path=path, full_page=whole)

    def pdf(self, path: Path) -> None:
        """Prints the page on A4."""
        self._page.pdf(path=path, format="A4")

    def overflow(self) -> int:
        """CSS pixels by which the page is wider than its window; 0 where it fits."""
        return self.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def contrast(self, selector: str) -> float:
        """The least contrast of text with its own background, as WCAG 2 defines it, 1 to 21.

        Of the elements that a CSS selector finds; each must have an opaque background.
        """
        return self._page.evaluate(_CONTRAST, selector)

    def grave_findings(self) -> list[str]:
        """What axe-core finds serious or critical: the rule, and the elements."""
        violations = Axe().run(self._page).response["violations"]
        return [
            f"{one['id']}: {', '.join(str(node['target']) for node in one['nodes'][:3])}"
            for one in violations
            if one["impact"] in _GRAVE
        ]

    def errors(self) -> list[str]:
        """Uncaught exceptions, console errors and warnings, and failed loads so far."""
        return list(self._errors)

    def requests(self) -> list[str]:
        """URLs that the page asked for so far, itself included."""
        return list(self._requests)

    def external_requests(self) -> list[str]:
        """Those of `requests` that are neither a file on this machine nor part of the page."""
        return [url for url in self._requests if not url.startswith(("file:", "data:", "about:"))]

    def close(self) -> None:
        """Closes the page."""
        self._context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self._errors.append(message.text)

    def _settle(self) -> None:
        """Waits until handlers have run and two frames are drawn."""
        self.evaluate(_SETTLED)
