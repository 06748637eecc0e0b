"""A page open in Chromium: what is on it, what it asked for, what it complained of."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Literal

from tests.browser.devtools import BrowserError, Chromium

_KEYS: dict[str, dict[str, Any]] = {
    "Enter": {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
    "Tab": {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9},
    "Escape": {"key": "Escape", "code": "Escape", "windowsVirtualKeyCode": 27},
    "/": {"key": "/", "code": "Slash", "windowsVirtualKeyCode": 191, "text": "/"},
    "ArrowDown": {"key": "ArrowDown", "code": "ArrowDown", "windowsVirtualKeyCode": 40},
    "ArrowRight": {"key": "ArrowRight", "code": "ArrowRight", "windowsVirtualKeyCode": 39},
}

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


class Page:
    """One page; `Browser.open` makes it."""

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium
        target = chromium.call("Target.createTarget", url="about:blank")["targetId"]
        self._session: str = chromium.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        self._target = target
        self._seen: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def go(self, url: str) -> None:
        """Opens `url` and returns when it has loaded and its scripts have run."""
        self._seen.extend(self._chromium.take_events(self._session))
        answer = self._call("Page.navigate", url=url)
        if answer.get("errorText"):
            raise BrowserError(f"{url}: {answer['errorText']}")
        if "loaderId" in answer:  # not where only the fragment differs
            self._chromium.wait_for(self._session, "Page.loadEventFired")
        self._settle()

    def set_fragment(self, fragment: str) -> None:
        """Goes to another fragment of the same page, as a link does."""
        self.evaluate(f"location.hash = {fragment!r}")
        self._settle()

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; of a promise, what it resolves to.

        Raises:
            BrowserError: the expression throws.
        """
        answer = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            said = details.get("exception", {}).get("description", details["text"])
            raise BrowserError(f"{expression}: {said}")
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        """The visible text of the first element that a CSS selector finds."""
        return self.evaluate(f"document.querySelector({selector!r}).innerText")

    def texts(self, selector: str) -> list[str]:
        """The visible text of each element that a CSS selector finds and that is shown."""
        return self.evaluate(
            f"[...document.querySelectorAll({selector!r})]"
            ".filter(e => e.checkVisibility()).map(e => e.innerText)"
        )

    def dom(self) -> str:
        """The page's HTML as its scripts have made it."""
        return self.evaluate("document.documentElement.outerHTML")

    def click(self, selector: str) -> None:
        """Clicks the middle of the first element that a CSS selector finds."""
        x, y = self.evaluate(
            f"(() => {{ const e = document.querySelector({selector!r});"
            " e.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});"
            " const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self._settle()

    def press(self, key: str) -> None:
        """Presses a key: Enter, Tab, Escape, ArrowDown, ArrowRight or /."""
        self._call("Input.dispatchKeyEvent", type="keyDown", **_KEYS[key])
        self._call("Input.dispatchKeyEvent", type="keyUp", **_KEYS[key])
        self._settle()

    def type(self, text: str) -> None:
        """Types text into what has the focus."""
        self._call("Input.insertText", text=text)
        self._settle()

    def view(
        self,
        *,
        width: int = 1280,
        height: int = 900,
        scheme: Literal["light", "dark"] = "light",
        media: Literal["", "print"] = "",
    ) -> None:
        """Sets the window's size in CSS pixels, light or dark, and screen or print."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", media=media, features=features)
        self._settle()

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Writes a PNG of the window, or of the whole page."""
        data = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(data["data"]))

    def overflow(self) -> int:
        """CSS pixels by which the page is wider than its window; 0 where it fits."""
        return self.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def contrast(self, selector: str) -> float:
        """The least contrast of text with its own background, as WCAG 2 defines it, 1 to 21.

        Of the elements that a CSS selector finds; each must have an opaque background.
        """
        return self.evaluate(f"({_CONTRAST})({selector!r})")

    def errors(self) -> list[str]:
        """Uncaught exceptions, console errors and warnings, and failed loads so far."""
        return [said for event in self._events() if (said := _complaint(event))]

    def requests(self) -> list[str]:
        """URLs that the page asked for so far, itself included."""
        return [
            event["params"]["request"]["url"]
            for event in self._events()
            if event["method"] == "Network.requestWillBeSent"
        ]

    def external_requests(self) -> list[str]:
        """Those of `requests` that are neither a file on this machine nor part of the page."""
        return [url for url in self.requests() if not url.startswith(("file:", "data:", "about:"))]

    def close(self) -> None:
        """Closes the page."""
        self._chromium.call("Target.closeTarget", targetId=self._target)

    def _events(self) -> list[dict[str, Any]]:
        self._seen.extend(self._chromium.take_events(self._session))
        return self._seen

    def _settle(self) -> None:
        """Waits until handlers have run and two frames are drawn."""
        self.evaluate(
            "new Promise(done => setTimeout(() =>"
            " requestAnimationFrame(() => requestAnimationFrame(() => done(true))), 0))"
        )

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._chromium.call(method, self._session, **params)


def _complaint(event: dict[str, Any]) -> str:
    """What an event says went wrong; empty where nothing did."""
    params = event["params"]
    match event["method"]:
        case "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            return details.get("exception", {}).get("description", details["text"])
        case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
            return " ".join(str(arg.get("value")) for arg in params["args"])
        case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
            return params["entry"]["text"]
        case _:
            return ""
