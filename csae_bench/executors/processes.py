"""The executor of several processes on this machine, a GPU each where there are several."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from csae_bench.errors import RunError
from csae_bench.executors import Done
from csae_bench.executors.messages import (
    END,
    Shard,
    WorkerMessage,
    cell_of,
    error_from_json,
)
from csae_bench.executors.sharding import shards
from csae_bench.runs.plan import Plan, SaePlan, plan_sae
from csae_bench.support import progress

N_ATTEMPTS = 3
"""Times that a shard is begun: a worker may be lost for reasons that have gone the next time."""

SECONDS_TO_STOP = 120.0
"""Time that a worker has for saving its state after Ctrl-C."""

_LINES_KEPT = 20
"""Lines of a worker's stderr that are shown if it is lost."""

WORKER = (sys.executable, "-m", "csae_bench.cli.worker")


@dataclass(frozen=True, kw_only=True)
class ProcessesExecutor:
    """Runs shards of the plan in worker processes.

    A worker that is lost (killed, or crashed in native code) is replaced, and its shard begun again
    where it was; what one of our errors ended is not tried again.

    Args:
        n_workers: processes at the same time.
        train_only: make the SAEs and evaluate none.
        gpus: ids for CUDA_VISIBLE_DEVICES; the workers take them in turn. Empty: no such thing is
            set.
    """

    n_workers: int
    train_only: bool = False
    gpus: tuple[str, ...] = ()

    def run(self, plan: Plan) -> Iterator[Done]:
        """Yield each step as it ends; an error ends the jobs of its SAE and of no other."""
        parts = [_Part(plan, part) for part in shards(plan.saes, self.n_workers)]
        yield from _Pool(self, parts).run()


@dataclass
class _Part:
    """A shard, and how far it is."""

    plan: Plan
    places: list[int]
    """Of its SAEs in the plan that are not done."""
    n_attempts: int = 0
    steps: dict[int, set[str]] = field(default_factory=dict[int, set[str]])
    """Names of the steps of each SAE that have ended."""

    def shard(self, number: int, *, train_only: bool) -> Shard:
        requests = tuple(self.plan.saes[place].request for place in self.places)
        return Shard(number=number, requests=requests, train_only=train_only)

    def note(self, place: int, name: str, *, is_error: bool, train_only: bool) -> bool:
        """Note a step; return whether its SAE is done."""
        steps = self.steps.setdefault(place, set())
        steps.add(name)
        n_evals = len(self.plan.saes[place].evals)
        if train_only or n_evals == 0:  # of an SAE of the hub the evals are not known yet
            return is_error or train_only
        return is_error or len(steps) == 2 + n_evals


class _Said(NamedTuple):
    worker: _Worker
    message: WorkerMessage | None
    """None: it is gone."""


class _Worker:
    """One process; what it says goes to a queue."""

    def __init__(self, name: str, env: Mapping[str, str], said: queue.Queue[_Said]) -> None:
        self.name = name
        self.part: _Part | None = None
        self.sent: list[int] = []
        """Places in the plan of the SAEs of its shard."""
        self.line = "starting"
        """The last line of its progress."""
        self.errors: deque[str] = deque(maxlen=_LINES_KEPT)
        self.process = subprocess.Popen(
            WORKER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **env},
            # Ctrl-C reaches it once, through the executor; a second one would end it in mid-write
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(said,), daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()

    def begin(self, part: _Part, number: int, *, train_only: bool) -> None:
        self.part, self.sent = part, list(part.places)
        part.n_attempts += 1
        self._send(part.shard(number, train_only=train_only).to_line())

    def end(self) -> None:
        """Let it end by itself."""
        self._send(END)

    def interrupt(self) -> None:
        """Have it save its state and end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)

    def why_lost(self) -> str:
        """Return in words how it ended."""
        code = self.process.wait()
        if code == -signal.SIGKILL:
            return "was killed (signal 9; where nobody did it, memory ran out)"
        if code < 0:
            return f"was ended by signal {-code}"
        return f"ended with code {code}"

    def _send(self, line: str) -> None:
        assert self.process.stdin is not None
        # where it is gone, that is noticed where its messages are read
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def _read(self, said: queue.Queue[_Said]) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                with contextlib.suppress(ValueError):  # the last line of one that was killed
                    said.put(_Said(self, WorkerMessage.from_line(line)))
        self.process.wait()
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # of what it did not read any more
            self.process.stdin.close()
        said.put(_Said(self, None))

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr:
            for line in self.process.stderr:
                self.errors.append(line.rstrip())
                sys.stderr.write(f"{self.name}: {line}")


class _Pool:
    """The workers of one run."""

    def __init__(self, executor: ProcessesExecutor, parts: Sequence[_Part]) -> None:
        self._executor = executor
        self._waiting = deque(parts)
        self._said: queue.Queue[_Said] = queue.Queue()
        self._live: list[_Worker] = []
        self._n_started = self._n_shards = 0
        self._n_saes = sum(len(part.places) for part in parts)
        self._n_done = 0

    def run(self) -> Iterator[Done]:
        n_workers = min(self._executor.n_workers, len(self._waiting))
        progress.begin(f"running {self._n_saes} SAEs in {n_workers} processes")
        try:
            with progress.watched(self._status):
                for _ in range(n_workers):
                    self._start()
                while self._live:
                    yield from self._hear(self._said.get())
        except BaseException:  # Ctrl-C too
            self._stop()
            raise

    def _status(self) -> str:
        workers = "; ".join(f"{worker.name}: {worker.line}" for worker in self._live)
        return f"{self._n_done_of_all}; {workers}"

    @property
    def _n_done_of_all(self) -> str:
        return f"{self._n_done} of {self._n_saes} SAEs done"

    def _start(self) -> None:
        number, gpus = self._n_started, self._executor.gpus
        self._n_started += 1
        env = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
        worker = _Worker(f"worker {number + 1}", env, self._said)
        self._live.append(worker)
        self._give_work(worker)

    def _give_work(self, worker: _Worker) -> None:
        if not self._waiting:
            worker.part = None
            worker.end()
            return
        worker.begin(self._waiting.popleft(), self._n_shards, train_only=self._executor.train_only)
        self._n_shards += 1

    def _hear(self, said: _Said) -> Iterator[Done]:
        worker, message = said
        if message is None:
            self._live.remove(worker)
            if worker.part is not None:
                yield from self._lost(worker, worker.part)
        elif message.line is not None:
            worker.line = message.line
            if not message.is_passing:
                progress.say(f"{worker.name}: {message.line}")
        elif message.is_end:
            assert worker.part is not None
            self._n_done += len(worker.part.places)
            progress.say(self._n_done_of_all)
            worker.part.places.clear()
            self._give_work(worker)
        else:
            yield self._done(worker, message)

    def _done(self, worker: _Worker, message: WorkerMessage) -> Done:
        part = worker.part
        assert part is not None
        assert message.sae is not None
        place = worker.sent[message.sae]
        sae = _fetched(part.plan.saes[place])
        error = None if message.error is None else error_from_json(message.error)
        is_done = part.note(
            place, message.name, is_error=error is not None, train_only=self._executor.train_only
        )
        if is_done and place in part.places:
            part.places.remove(place)
            self._n_done += 1
        return Done(
            sae=sae,
            name=message.name,
            cell=cell_of(message),
            weights_hash=message.weights_hash,
            error=error,
        )

    def _lost(self, worker: _Worker, part: _Part) -> Iterator[Done]:
        """Begin the shard again in another worker, or give up what is left of it."""
        why = worker.why_lost()
        if not part.places:
            self._start_if_needed()
            return
        if part.n_attempts < N_ATTEMPTS:
            progress.say(
                f"{worker.name} {why}; its {len(part.places)} SAEs are begun again where they were "
                f"(attempt {part.n_attempts + 1} of {N_ATTEMPTS})"
            )
            self._waiting.appendleft(part)
            self._start()
            return
        tail = "".join(f" {line}" for line in list(worker.errors)[-1:])
        for place in part.places:
            error = RunError(
                f"The worker process {why}, {N_ATTEMPTS} times.{tail} Results that were finished "
                "are kept; --executor local shows more."
            )
            self._n_done += 1
            yield Done(
                sae=part.plan.saes[place], name="run", cell=None, weights_hash=None, error=error
            )
        self._start_if_needed()

    def _start_if_needed(self) -> None:
        if self._waiting and len(self._live) < self._executor.n_workers:
            self._start()

    def _stop(self) -> None:
        """Have the workers save their states and end; kill those that do not."""
        for worker in self._live:
            worker.interrupt()
        for worker in self._live:
            try:
                worker.process.wait(SECONDS_TO_STOP)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                worker.process.kill()


def _fetched(sae: SaePlan) -> SaePlan:
    """Return the plan of an SAE of the hub again, once a worker has fetched it."""
    return sae if sae.resolved_sae is not None else plan_sae(sae.request)
