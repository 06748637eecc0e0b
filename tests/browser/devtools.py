"""Chromium's DevTools protocol over a pair of pipes: it opens no port and needs no library."""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

TIMEOUT = 60.0
"""Seconds for one command. Generous: the machine may be busy, and a hang must still end."""

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # there is none for root, who runs tests in containers
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have 64 MiB there, too few for a large page
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--remote-debugging-pipe",
)
# Chromium reads commands from descriptor 3 and writes to 4, whatever ours are
_START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class BrowserError(Exception):
    """Chromium said no, did not answer, or is gone."""


class Chromium:
    """A running Chromium with a fresh profile, in which no host name resolves.

    Args:
        command: path of the executable.
        folder: an empty folder for the profile and what Chromium prints.
    """

    def __init__(self, command: str, folder: Path) -> None:
        self.events: list[dict[str, Any]] = []
        """Events that nobody has taken yet."""
        self._log = folder / "chromium.log"
        self._answers: dict[int, dict[str, Any]] = {}
        self._unread = b""
        self._n_sent = 0
        read_commands, self._commands = os.pipe()
        self._messages, write_messages = os.pipe()
        # above 4, or one would be overwritten by the other on its way to 3 and 4
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (read_commands, write_messages)]
        start = [sys.executable, "-c", _START, *map(str, ends)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*start, command, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
                pass_fds=ends,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(folder)},
            )
        for end in (read_commands, write_messages, *ends):
            os.close(end)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Sends a command and gives its answer; events that come meanwhile are kept.

        Raises:
            BrowserError: Chromium refused, ended, or did not answer within `TIMEOUT`.
        """
        self._n_sent += 1
        number = self._n_sent
        message = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        try:
            os.write(self._commands, json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            raise self._error(method, "ended") from None
        deadline = time.monotonic() + TIMEOUT
        while number not in self._answers:
            self._read(deadline, method)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def take_events(self, session: str) -> list[dict[str, Any]]:
        """The events of a session since the last time; each is given once."""
        taken = [event for event in self.events if event.get("sessionId") == session]
        self.events = [event for event in self.events if event.get("sessionId") != session]
        return taken

    def wait_for(self, session: str, method: str) -> None:
        """Returns when an event has come, which stays among `events`."""
        deadline = time.monotonic() + TIMEOUT
        while not any(
            event["method"] == method and event.get("sessionId") == session for event in self.events
        ):
            self._read(deadline, method)

    def close(self) -> None:
        """Ends Chromium, by force where it does not end by itself."""
        os.close(self._commands)  # at the end of its commands it quits
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._messages)

    def _read(self, deadline: float, waiting_for: str) -> None:
        left = deadline - time.monotonic()
        ready = left > 0 and select.select([self._messages], [], [], left)[0]
        data = os.read(self._messages, 2**20) if ready else b""
        if not data:
            what = "ended" if ready else f"did not answer for {TIMEOUT:.0f} s"
            raise self._error(waiting_for, what)
        *complete, self._unread = (self._unread + data).split(b"\0")
        for raw in complete:
            message = json.loads(raw)
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self.events.append(message)

    def _error(self, command: str, what: str) -> BrowserError:
        said = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
        return BrowserError(f"Chromium {what} at {command}. It said: {said}")
