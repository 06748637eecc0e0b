"""The executor of several processes on this machine, a GPU each where there are several."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from csae_bench.executors import Done
from csae_bench.executors.messages import Shard, WorkerMessage
from csae_bench.executors.pool import Pool
from csae_bench.executors.pool_worker import Gone, Heard, Inbox, Ready, WorkerLoss
from csae_bench.executors.worker_process import WorkerProcess
from csae_bench.runs.plan import Plan


@dataclass(frozen=True, kw_only=True)
class ProcessesExecutor:
    """Runs shards of the plan in worker processes.

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
        source = _Processes(self.n_workers, self.gpus)
        yield from Pool(plan, source, train_only=self.train_only).run()


@dataclass
class _Processes:
    """Makes worker processes."""

    n_workers: int
    gpus: tuple[str, ...]
    description: str = "processes"

    def start(self, number: int, inbox: Inbox) -> _LocalWorker:
        gpus = self.gpus
        env = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
        return _LocalWorker(f"worker {number + 1}", env, inbox)


class _LocalWorker:
    """A process of this machine as a worker of a pool; it takes shards from the start."""

    def __init__(self, name: str, env: dict[str, str], inbox: Inbox) -> None:
        self.name = name
        self._inbox = inbox
        inbox.put(Heard(self, Ready()))  # before anything that the process says
        self._process = WorkerProcess(env=env, hear=self._hear, hear_error=partial(_show, name))

    @property
    def node(self) -> str:
        return platform.node()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, shard: Shard) -> None:
        self._process.send(shard)

    def end(self) -> None:
        self._process.end()

    def interrupt(self) -> None:
        self._process.interrupt()

    def wait_or_kill(self, seconds: float) -> None:
        self._process.wait_or_kill(seconds)

    def loss(self) -> WorkerLoss:
        return self._process.loss()

    def _hear(self, message: WorkerMessage | None) -> None:
        self._inbox.put(Heard(self, message or Gone()))


def _show(name: str, line: str) -> None:
    sys.stderr.write(f"{name}: {line}")
