"""What a pool asks of a worker, and what it hears from one.

A worker runs one shard at a time, somewhere: in a process of this machine, or on a node of a
cluster. Whatever it is, the messages are those of `messages.py`.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import Protocol

from csae_bench.errors import CsaeBenchError
from csae_bench.executors.messages import Shard, WorkerMessage


@dataclass(frozen=True, kw_only=True)
class WorkerLoss:
    """How a worker ended that nobody had asked to end."""

    reason: str
    """In words that follow its name, such as `was killed (signal 9)`."""
    last_line: str = ""
    """Last line that it wrote to stderr; empty if there is none."""
    error: CsaeBenchError | None = None
    """Error of ours that kept it from starting; a second try would end in the same."""


class PoolWorker(Protocol):
    """A worker. None of its methods raises where it is gone: the pool hears that from the queue."""

    name: str
    """What progress calls it."""

    @property
    def node(self) -> str:
        """Name or address of its machine."""
        ...

    @property
    def pid(self) -> int | None:
        """Id of its process on that machine; None before it has one."""
        ...

    def send(self, shard: Shard) -> None:
        """Have it run a shard."""
        ...

    def end(self) -> None:
        """Let it end by itself, as there is nothing more to run; it may not be ready yet."""
        ...

    def interrupt(self) -> None:
        """Have it save its state and end."""
        ...

    def wait_or_kill(self, seconds: float) -> None:
        """Wait until it has ended; kill it after so many seconds, or at a second Ctrl-C."""
        ...

    def loss(self) -> WorkerLoss:
        """Say how it ended, once it is gone."""
        ...


@dataclass(frozen=True)
class Ready:
    """The worker can run a shard."""


@dataclass(frozen=True)
class Gone:
    """The worker has ended; nothing more will be heard from it."""


@dataclass(frozen=True)
class Heard:
    """What a worker said, or what became of it."""

    worker: PoolWorker
    what: WorkerMessage | Ready | Gone


Inbox = queue.Queue[Heard]
"""What all workers of a pool say, in the order in which it came."""


class WorkerSource(Protocol):
    """Makes the workers of a pool."""

    n_workers: int
    """Workers at the same time."""
    description: str
    """Where they run, such as `processes`."""

    def start(self, number: int, inbox: Inbox) -> PoolWorker:
        """Start a worker and return at once; its messages go to the inbox, `Ready` first.

        Args:
            number: 0 for the first one; those that replace lost ones count on.
        """
        ...
