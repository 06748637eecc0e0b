"""`python -m csae_bench.cli.worker`: runs the shards that come on stdin, one a line.

What has ended and what is being done goes to the file descriptor that stdout was at the start, one
JSON object a line; anything that a library prints goes to stderr. It ends when the executor says
so; where the executor is gone, as after SIGTERM.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from typing import TYPE_CHECKING, TextIO

from csae_bench.cli.terminal import prepare_process
from csae_bench.errors import CsaeBenchError, PreflightError
from csae_bench.executors.messages import (
    END,
    Shard,
    WorkerMessage,
    failed_message,
    step_message,
)
from csae_bench.support import progress

if TYPE_CHECKING:
    from csae_bench.runs.session import Session

MANY = 1_000_000
"""SAEs that a session expects: another shard may always come."""


class _Reporter(progress.Reporter):
    """Progress as messages."""

    def __init__(self, outbox: _Outbox) -> None:
        super().__init__(sys.stderr, is_terminal=False)
        self._outbox = outbox

    def _print(self, line: str, *, is_passing: bool = False) -> None:
        self._last = self._clock()
        self._outbox.put(WorkerMessage(shard=self._outbox.shard, line=line, is_passing=is_passing))


class _Outbox:
    """Messages to the executor; from several threads."""

    shard = -1
    """The shard that is run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def put(self, message: WorkerMessage) -> None:
        with self._lock:
            self._stream.write(message.to_line() + "\n")
            self._stream.flush()


def main() -> None:
    """Run shards until stdin ends."""
    outbox = _Outbox(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    _hear_signals()
    prepare_process()  # before torch is imported
    shards: queue.SimpleQueue[Shard | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(shards,), daemon=True).start()
    with progress.reported_by(_Reporter(outbox)), contextlib.suppress(KeyboardInterrupt):
        session: Session | None = None
        while (shard := shards.get()) is not None:
            outbox.shard = shard.number
            session = _run(shard, outbox, session)
            outbox.put(WorkerMessage(shard=shard.number, is_end=True))


def _hear_signals() -> None:
    """Hear the executor's SIGINT, though Ray's processes and background jobs block or ignore it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _read(shards: queue.SimpleQueue[Shard | None]) -> None:
    for line in sys.stdin:
        if line.strip() == END:
            shards.put(None)
            return
        shards.put(Shard.from_line(line))
    # the executor is gone: training saves its state, and everything else ends at once
    os.kill(os.getpid(), signal.SIGTERM)


def _run(shard: Shard, outbox: _Outbox, session: Session | None) -> Session | None:
    from csae_bench.executors.local import LocalExecutor
    from csae_bench.hardware.devices import pick_device
    from csae_bench.runs.plan import Plan, plan
    from csae_bench.runs.session import Session

    try:
        planned = plan(shard.requests)
        session = session or Session(pick_device(planned.saes[0].device), n_saes=MANY)
    except CsaeBenchError as error:
        for place in range(len(shard.requests)):
            outbox.put(failed_message(shard.number, place, error))
        return session
    places = {id(request): place for place, request in enumerate(shard.requests)}
    for sae in planned.saes:
        if sae.problems:  # the executor found none: something has changed since
            error = PreflightError(sae.problems)
            outbox.put(failed_message(shard.number, places[id(sae.request)], error))
    sound = Plan(tuple(sae for sae in planned.saes if not sae.problems))
    for done in LocalExecutor(session, train_only=shard.train_only).run(sound):
        outbox.put(step_message(shard.number, places[id(done.sae.request)], done))
    return session


if __name__ == "__main__":
    main()
