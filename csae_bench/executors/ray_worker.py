"""An actor as a worker of a pool: a thread here asks it what its process has said."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import sys
import threading
from typing import Any

from csae_bench.errors import CsaeBenchError
from csae_bench.executors.messages import Shard, WorkerMessage, error_from_json
from csae_bench.executors.pool_worker import Gone, Heard, Inbox, Ready, WorkerLoss
from csae_bench.executors.ray_actor import ActorAbout, ActorAnswer
from csae_bench.executors.ray_calls import ask
from csae_bench.executors.ray_files import Courier

_SECONDS_A_QUESTION = 1.0
"""Time for which an actor waits for something to say; Ctrl-C reaches it after it."""

_SECONDS_TO_CLOSE = 30.0


class RayWorker:
    """An actor on some node of the cluster, perhaps one that is still to come.

    Args:
        name: what progress calls it.
        actor: Ray's handle.
        inbox: of the pool.
        courier: carries files to the node and back; None: folders are shared.
    """

    def __init__(
        self,
        name: str,
        actor: Any,
        inbox: Inbox,
        courier: Courier | None = None,
    ) -> None:
        self.name = name
        self._actor, self._inbox = actor, inbox
        self._courier = courier
        self._about: ActorAbout | None = None
        self._loss = WorkerLoss(reason="ended")
        self._todo: queue.SimpleQueue[Shard | None] = queue.SimpleQueue()
        self._n_lines = self._n_errors = 0
        self._is_working = self._is_stopped = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def node(self) -> str:
        """Address of its node and the beginning of the node's id."""
        return "no node yet" if self._about is None else self._about.node

    @property
    def pid(self) -> int | None:
        """Id of its process on that node."""
        return None if self._about is None else self._about.pid

    def send(self, shard: Shard) -> None:
        """Have it run a shard."""
        self._todo.put(shard)

    def end(self) -> None:
        """Let it end by itself; one that waits for a node ends at once."""
        self._todo.put(None)
        if self._about is None:
            _kill(self._actor)

    def interrupt(self) -> None:
        """Have its process save its state and end; one that waits for a node ends at once."""
        self._is_stopped = True
        self._todo.put(None)
        if self._about is None:
            _kill(self._actor)
        elif self._is_working:
            self._actor.interrupt.remote()

    def wait_or_kill(self, seconds: float) -> None:
        """Wait until it has ended; kill it after so many seconds, or at a second Ctrl-C."""
        try:
            self._thread.join(seconds)
        except KeyboardInterrupt:
            pass
        finally:
            _kill(self._actor)

    def loss(self) -> WorkerLoss:
        """Say how it ended."""
        return self._loss

    def _serve(self) -> None:
        """Run what comes; whatever ends it, the actor is gone afterwards, with what it held."""
        from ray.exceptions import RayError

        try:
            if self._is_begun():
                self._inbox.put(Heard(self, Ready()))
                while (shard := self._todo.get()) is not None and self._has_run(shard):
                    pass
        except CsaeBenchError as error:  # a file of ours cannot be read or written
            self._loss = WorkerLoss(reason=f"ended: {error}", error=error)
        except RayError as error:
            self._loss = WorkerLoss(reason=_reason(error))
        finally:
            self._close()
            self._inbox.put(Heard(self, Gone()))

    def _close(self) -> None:
        """End the actor; one that still answers removes its files before."""
        import ray
        from ray.exceptions import RayError

        with contextlib.suppress(RayError):
            ray.get(self._actor.close.remote(), timeout=_SECONDS_TO_CLOSE)
        _kill(self._actor)

    def _is_begun(self) -> bool:
        about = self._about = ActorAbout.from_bytes(ask(self._actor.about))
        self.name = f"{self.name} on {about.node}"
        if about.error is not None:
            error = error_from_json(about.error)
            self._loss = WorkerLoss(reason=f"cannot work there: {error}", error=error)
        elif about.reason is not None:
            self._loss = WorkerLoss(reason=about.reason)
        return about.error is None and about.reason is None

    def _has_run(self, shard: Shard) -> bool:
        """Run a shard to its end; return False where the process ended before."""
        sent = shard if self._courier is None else self._courier.bring(shard)
        self._is_working = True
        if self._is_stopped:
            return False
        ask(self._actor.begin, sent.to_line().encode())
        while True:
            said = ask(self._actor.take, self._n_lines, self._n_errors, _SECONDS_A_QUESTION)
            answer = ActorAnswer.from_bytes(said)
            self._n_lines += len(answer.lines)
            self._n_errors += len(answer.errors)
            for line in answer.errors:
                sys.stderr.write(f"{self.name}: {line}")
            messages = [WorkerMessage.from_line(line) for line in answer.lines]
            is_end = any(message.is_end for message in messages)
            self._collect(messages, is_last=is_end or answer.gone is not None)
            for message in messages:
                self._inbox.put(Heard(self, message))
            if answer.gone is not None:
                self._loss = WorkerLoss(reason=answer.gone, last_line=answer.last_error)
                return False
            if is_end:
                self._is_working = False
                return not self._is_stopped

    def _collect(self, messages: list[WorkerMessage], *, is_last: bool) -> None:
        """Fetch files before the messages that are about them are passed on."""
        if self._courier is not None and (is_last or any(one.name for one in messages)):
            self._courier.collect(is_last=is_last)


def _kill(actor: Any) -> None:
    """End an actor and free what Ray holds for it; nothing if it is gone or Ray has ended."""
    import ray

    if ray.is_initialized():
        ray.kill(actor, no_restart=True)


def _reason(error: BaseException) -> str:
    """Say in a few words how an actor ended."""
    text = " ".join(str(error).split())
    if "node has died" in text or "node was terminated" in text or "NODE_DIED" in text:
        return "was lost with its node"
    if "memory" in text.lower() and "OOM" in text.upper():
        return "was killed by Ray, as its node ran out of memory"
    if "temporarily unavailable" in text:
        return "was lost, as its node cannot be reached"
    match = re.search(r"The actor (?:is dead|died) because (.+?)(?:\. |$)", text)
    reason = match[1] if match else text[:300]
    return f"was lost: {json.dumps(reason, ensure_ascii=False)[1:-1]}"
