"""The report of a run that is not done: written as its steps end, and told that the run is alive.

Reading the folder and drawing the page takes a while, and happens between two steps, so the page is
left as it is where that would take more than `SHARE` of the run's time since the last time. A
thread tells the page every `SECONDS_BETWEEN_SIGNS` that the run is alive, which costs nothing but
writing the file. A page that is not told so for long no longer loads itself again: the run was
killed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime

from csae_bench.comparison.command import report_of_folder
from csae_bench.comparison.outputs.html.live_state import LiveState
from csae_bench.comparison.outputs.html.page import html_page, with_state, write_html, write_page
from csae_bench.errors import CsaeBenchError
from csae_bench.results.store import Store
from csae_bench.support import progress

SHARE = 0.05
"""Largest share of a run's time that drawing its page may take."""

SECONDS_BETWEEN_SIGNS = 10.0
"""Time between two signs that a run is alive."""


class LiveReport:
    """Page of a run that is not done.

    What goes wrong with it is said once and ends the page, not the run.

    Args:
        store: the results folder that the page is of.
        clock: returns seconds.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._drawn_at = clock()
        self._cost = 0.0
        self._n_done = self._n_steps = 0
        self._page: str | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._repeat, daemon=True)

    def began(self, n_steps: int) -> None:
        """Write the first page, of the results that were there before.

        Args:
            n_steps: of the whole run.
        """
        self._n_steps = n_steps
        self._draw()
        self._cost = 0.0  # that of imports, which a run's end would have paid
        if self._page is not None:
            progress.say(
                f"report: {self._store.report} (rewritten as steps end; an open page follows)"
            )
            self._thread.start()

    def ended(self, n_done: int) -> None:
        """Take a step that has ended: write the page again, if that costs little.

        Args:
            n_done: steps that have ended so far.
        """
        self._n_done = n_done
        if self._page is not None and self._cost <= SHARE * (self._clock() - self._drawn_at):
            self._draw()

    def close(self) -> None:
        """Give no more signs; the page stays as it is."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def end_with_error(self) -> None:
        """Write the page of what a run left that was ended by an error."""
        self.close()
        if self._page is None:  # the run never began
            return
        with contextlib.suppress(CsaeBenchError):  # must not hide the error
            write_html(report_of_folder(self._store.root), self._store.report)

    def _draw(self) -> None:
        began_at = self._clock()
        try:
            report = report_of_folder(self._store.root)
            with self._lock:
                self._page = html_page(report, folder=self._store.root, live=self._state())
                write_page(self._page, self._store.report)
        except Exception as error:  # a run's results are worth more than its page
            self._page = None
            progress.say(f"note: no live report: {error}")
        self._drawn_at = self._clock()
        self._cost = self._drawn_at - began_at

    def _repeat(self) -> None:
        while not self._stop.wait(SECONDS_BETWEEN_SIGNS):
            with self._lock:
                if self._page is None:
                    return
                try:
                    write_page(with_state(self._page, self._state()), self._store.report)
                except Exception as error:  # as above: the run goes on without its page
                    self._page = None
                    progress.say(f"note: the live report ends: {error}")

    def _state(self) -> LiveState:
        return LiveState(
            started=self._started,
            n_done=self._n_done,
            n_steps=self._n_steps,
            now=progress.now(),
            written_ms=int(time.time() * 1000),
        )


@contextmanager
def live_report(store: Store) -> Generator[LiveReport]:
    """Give the page of a run that is about to begin; within, the run tells it of its steps.

    Whoever ends the run well writes the page of what it left. Where it ends with an error, that is
    done here, so that no page waits for a run that is over.
    """
    live = LiveReport(store)
    try:
        yield live
    except BaseException:  # Ctrl-C too
        live.end_with_error()
        raise
    live.close()
