"""A pool of workers that share a queue of shards; each executor of several workers is one.

A worker that is lost is replaced, and what is left of its shard is begun again, at most twice: the
SAEs that were done stay done. An error of ours ends the jobs of its SAE, and is not tried again,
for it would be raised again. Retries are made here and nowhere else: only the pool knows what of a
shard is left.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from csae_bench.errors import CsaeBenchError, RunError
from csae_bench.executors import Done
from csae_bench.executors.messages import WorkerMessage, cell_of, error_from_json
from csae_bench.executors.pool_part import PoolPart
from csae_bench.executors.pool_worker import (
    Gone,
    Heard,
    Inbox,
    PoolWorker,
    Ready,
    WorkerLoss,
    WorkerSource,
)
from csae_bench.executors.sharding import shards
from csae_bench.results.schema import LostWorker
from csae_bench.runs.plan import Plan, SaePlan, plan_sae
from csae_bench.support import progress

N_ATTEMPTS = 3
"""Times that a shard is begun, and that a worker which never got ready is started: it may be lost
for reasons that have gone the next time."""

SECONDS_TO_STOP = 120.0
"""Time that a worker has for saving its state after Ctrl-C."""


@dataclass
class _Member:
    """A worker of the pool, and its work."""

    worker: PoolWorker
    is_ready: bool = False
    part: PoolPart | None = None
    shard: int = -1
    sent: list[int] = field(default_factory=list[int])
    """Places in the plan of the SAEs of its shard."""
    line: str = "starting"
    """The last line of its progress."""


class Pool:
    """The workers of one run.

    Args:
        plan: what is run.
        source: makes the workers.
        train_only: make the SAEs and evaluate none.
    """

    def __init__(self, plan: Plan, source: WorkerSource, *, train_only: bool = False) -> None:
        self._source = source
        self._waiting = deque(
            PoolPart(plan, part, train_only) for part in shards(plan.saes, source.n_workers)
        )
        self._inbox: Inbox = queue.Queue()
        self._members: dict[int, _Member] = {}
        """Live workers, by their id in memory."""
        self._n_started = self._n_shards = 0
        self._n_failed_starts = 0
        """Workers in a row that were lost before they were ready."""
        self._n_saes = len(plan.saes)
        self._n_done = 0

    def run(self) -> Iterator[Done]:
        """Yield each step as it ends; an error ends the jobs of its SAE and of no other."""
        n_workers = min(self._source.n_workers, len(self._waiting))
        progress.begin(f"running {self._n_saes} SAEs in {n_workers} {self._source.description}")
        try:
            with progress.watched(self._status):
                for _ in range(n_workers):
                    self._start()
                while self._members:
                    yield from self._hear(self._inbox.get())
        except BaseException:  # Ctrl-C too
            self._stop()
            raise

    def _status(self) -> str:
        members = list(self._members.values())
        workers = "; ".join(f"{member.worker.name}: {member.line}" for member in members)
        return f"{self._n_done_of_all}; {workers}"

    @property
    def _n_done_of_all(self) -> str:
        return f"{self._n_done} of {self._n_saes} SAEs done"

    def _start(self) -> None:
        worker = self._source.start(self._n_started, self._inbox)
        self._n_started += 1
        self._members[id(worker)] = _Member(worker)

    def _hear(self, heard: Heard) -> Iterator[Done]:
        member, what = self._members[id(heard.worker)], heard.what
        if isinstance(what, Ready):
            member.is_ready = True
            self._n_failed_starts = 0
            self._give_work(member)
        elif isinstance(what, Gone):
            del self._members[id(heard.worker)]
            yield from self._gone(member)
        elif what.line is not None:
            member.line = what.line
            if not what.is_passing:
                progress.say(f"{member.worker.name}: {what.line}")
        elif member.part is not None and what.shard == member.shard:
            if what.is_end:
                self._end_of_shard(member, member.part)
            else:
                yield from self._done(member, member.part, what)

    def _give_work(self, member: _Member) -> None:
        member.part = None
        if not self._waiting:
            member.worker.end()
            return
        part = member.part = self._waiting.popleft()
        member.shard, member.sent = self._n_shards, list(part.places)
        self._n_shards += 1
        member.worker.send(part.begin(member.shard))

    def _end_of_shard(self, member: _Member, part: PoolPart) -> None:
        self._n_done += len(part.places)
        part.places.clear()
        progress.say(self._n_done_of_all)
        self._give_work(member)
        self._end_unneeded()

    def _done(self, member: _Member, part: PoolPart, message: WorkerMessage) -> Iterator[Done]:
        assert message.sae is not None
        place = member.sent[message.sae]
        error = None if message.error is None else error_from_json(message.error)
        if part.note(place, message.name, is_error=error is not None) and place in part.places:
            part.places.remove(place)
            self._n_done += 1
        yield Done(
            sae=_fetched(part.plan.saes[place]),
            name=message.name,
            cell=cell_of(message),
            weights_hash=message.weights_hash,
            error=error,
            lost_workers=tuple(part.lost),
        )

    def _gone(self, member: _Member) -> Iterator[Done]:
        """Replace a worker that is gone, where there is work for another one."""
        part = member.part
        if part is not None and part.places:
            yield from self._lost(member, part)
        elif part is None and not member.is_ready and self._waiting:
            yield from self._not_started(member)
            return
        self._start_if_needed()

    def _lost(self, member: _Member, part: PoolPart) -> Iterator[Done]:
        """Begin the shard again in another worker, or give up what is left of it."""
        worker, loss = member.worker, member.worker.loss()
        part.lost.append(
            LostWorker(
                worker=worker.name,
                node=worker.node,
                pid=worker.pid,
                shard=member.shard,
                attempt=part.n_attempts,
                reason=loss.reason,
            )
        )
        if loss.error is None and part.n_attempts < N_ATTEMPTS:
            progress.say(
                f"{worker.name} {loss.reason}; its {len(part.places)} SAEs are begun again where "
                f"they were (attempt {part.n_attempts + 1} of {N_ATTEMPTS})"
            )
            self._waiting.appendleft(part)
            return
        yield from self._given_up(part, loss.error or _lost_each_time(loss))

    def _not_started(self, member: _Member) -> Iterator[Done]:
        """Start another worker for one that never got ready, or give up where none can."""
        loss = member.worker.loss()
        progress.say(f"{member.worker.name} {loss.reason}")
        self._n_failed_starts += 1
        if loss.error is None and self._n_failed_starts < N_ATTEMPTS:
            self._start_if_needed()
            return
        if self._members:  # the others do its work
            return
        error = loss.error or _never_ready(loss)
        while self._waiting:
            yield from self._given_up(self._waiting.popleft(), error)

    def _given_up(self, part: PoolPart, error: CsaeBenchError) -> Iterator[Done]:
        for place in part.places:
            self._n_done += 1
            yield Done(
                sae=part.plan.saes[place],
                name="run",
                cell=None,
                weights_hash=None,
                error=error,
                lost_workers=tuple(part.lost),
            )

    def _start_if_needed(self) -> None:
        n_starting = sum(not member.is_ready for member in self._members.values())
        if len(self._waiting) > n_starting and len(self._members) < self._source.n_workers:
            self._start()

    def _end_unneeded(self) -> None:
        """End workers that are not ready yet, where nothing is left for them."""
        for member in self._members.values():
            if not member.is_ready and not self._waiting:
                member.worker.end()

    def _stop(self) -> None:
        """Have the workers save their states and end; kill those that do not."""
        members = list(self._members.values())
        for member in members:
            member.worker.interrupt()
        for member in members:
            member.worker.wait_or_kill(SECONDS_TO_STOP)


def _lost_each_time(loss: WorkerLoss) -> RunError:
    tail = f" {loss.last_line}" if loss.last_line else ""
    return RunError(
        f"The worker process {loss.reason}, {N_ATTEMPTS} times.{tail} Results that were finished "
        "are kept; --executor local shows more."
    )


def _never_ready(loss: WorkerLoss) -> RunError:
    tail = f" {loss.last_line}" if loss.last_line else ""
    return RunError(f"No worker could be started: the last one {loss.reason}.{tail}")


def _fetched(sae: SaePlan) -> SaePlan:
    """Return the plan of an SAE of the hub again, once a worker has fetched it."""
    return sae if sae.resolved_sae is not None else plan_sae(sae.request)
