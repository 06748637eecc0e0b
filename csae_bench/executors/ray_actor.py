"""The actor that Ray places on a node: it holds a worker process, and with it a model.

The work is done in the process that `--executor processes` uses too, so that its numbers are the
same, Ctrl-C reaches a training's main thread, and a GPU's memory is freed with it. The actor itself
does not import torch. Its methods are short, so that one at a time is enough; each can be called
again where an answer was lost on the way. Arguments and answers are bytes: JSON, or parts of files.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from csae_bench import __version__
from csae_bench.errors import CsaeBenchError, UsageError
from csae_bench.executors.messages import Shard, WorkerMessage, error_to_json
from csae_bench.executors.ray_env import worker_env
from csae_bench.executors.transfer import FolderFiles
from csae_bench.executors.worker_process import WorkerProcess
from csae_bench.hardware.memory import GIB, available_bytes

_SECONDS_FOR_GPU = 60.0
"""Time that a GPU's memory may need until it is free, after the process that had it has ended."""


@dataclass(frozen=True, kw_only=True)
class ActorStart:
    """What an actor needs to know."""

    version: str
    """Of csae-bench, on the driver's machine."""
    env: Mapping[str, str]
    """Variables that the driver hands on."""
    n_threads: int
    gpu_bytes: float | None = None
    """Memory of a GPU that the largest job needs; None: they run on a CPU."""
    folder: str | None = None
    """Working folder of the driver, which is on a shared disk; None: each node has its own."""
    marker: str | None = None
    """A file in the results folder, which shows that the folder is shared."""

    def to_bytes(self) -> bytes:
        """Return the argument of an actor."""
        return _START.dump_json(self)


@dataclass(frozen=True, kw_only=True)
class ActorAbout:
    """An actor's node and process, or why it has none."""

    node: str
    pid: int | None = None
    error: dict[str, Any] | None = None
    """An error of ours, as messages hold them."""
    reason: str | None = None
    """Why it cannot work now, but perhaps later or elsewhere."""

    def to_bytes(self) -> bytes:
        """Return the answer."""
        return _ABOUT.dump_json(self)

    @classmethod
    def from_bytes(cls, content: bytes) -> ActorAbout:
        """Return what an answer says."""
        return _ABOUT.validate_json(content)


@dataclass(frozen=True, kw_only=True)
class ActorAnswer:
    """What a worker process has said since."""

    lines: tuple[str, ...] = ()
    """Messages."""
    errors: tuple[str, ...] = ()
    """Lines of stderr."""
    gone: str | None = None
    """How the process ended, if it has."""
    last_error: str = ""

    def to_bytes(self) -> bytes:
        """Return the answer."""
        return _ANSWER.dump_json(self, exclude_defaults=True)

    @classmethod
    def from_bytes(cls, content: bytes) -> ActorAnswer:
        """Return what an answer says."""
        return _ANSWER.validate_json(content)


_START: TypeAdapter[ActorStart] = TypeAdapter(ActorStart)
_ABOUT: TypeAdapter[ActorAbout] = TypeAdapter(ActorAbout)
_ANSWER: TypeAdapter[ActorAnswer] = TypeAdapter(ActorAnswer)


@dataclass
class _Said:
    """What the process has said and the driver has not confirmed."""

    lines: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])
    n_lines: int = 0
    """Confirmed so far."""
    n_errors: int = 0
    is_gone: bool = False


class WorkerActor:
    """Holds a worker process on the node where Ray placed it."""

    def __init__(self, start: bytes) -> None:
        self._start = _START.validate_json(start)
        self._said, self._changed = _Said(), threading.Condition()
        self._process: WorkerProcess | None = None
        self._about: ActorAbout | None = None
        self._last_shard = -1
        self.files: FolderFiles | None = None if self._start.folder else FolderFiles()

    def about(self) -> bytes:
        """Check the node, start the process, and return an `ActorAbout`."""
        if self._about is None:
            self._about = self._begun()
        return self._about.to_bytes()

    def begin(self, shard: bytes) -> None:
        """Have the process run a shard; the same one a second time does nothing."""
        wanted = Shard.from_line(shard.decode())
        if wanted.number > self._last_shard:
            self._last_shard = wanted.number
            self._running().send(wanted)

    def take(self, n_lines: int, n_errors: int, seconds: float) -> bytes:
        """Return an `ActorAnswer` with what was said since; wait so long for something.

        Args:
            n_lines: messages that the driver has got so far.
            n_errors: lines of stderr that it has got so far.
        """
        said = self._said
        with self._changed:
            del said.lines[: max(0, n_lines - said.n_lines)]
            del said.errors[: max(0, n_errors - said.n_errors)]
            said.n_lines, said.n_errors = n_lines, n_errors
            self._changed.wait_for(lambda: said.lines or said.errors or said.is_gone, seconds)
            answer = ActorAnswer(lines=tuple(said.lines), errors=tuple(said.errors))
            if not said.is_gone:
                return answer.to_bytes()
        loss = self._running().loss()
        return ActorAnswer(
            lines=answer.lines, errors=answer.errors, gone=loss.reason, last_error=loss.last_line
        ).to_bytes()

    def interrupt(self) -> None:
        """Have the process save its state and end."""
        if self._process is not None:
            self._process.interrupt()

    def close(self) -> None:
        """Let the process end, and remove the node's files."""
        if self._process is not None:
            self._process.end()
            self._process.wait_or_kill(10.0)
        if self.files is not None:
            self.files.remove()

    def file_call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the node's `FolderFiles`."""
        assert self.files is not None, "folders are shared"
        return getattr(self.files, method)(*arguments)

    def _running(self) -> WorkerProcess:
        assert self._process is not None, "about() comes first"
        return self._process

    def _begun(self) -> ActorAbout:
        node = _node_name()
        try:
            self._check(node)
        except CsaeBenchError as error:
            return ActorAbout(node=node, error=error_to_json(error))
        gpu_ids = _gpu_ids()
        if self._start.gpu_bytes is not None:
            reason = _why_no_room(gpu_ids, self._start.gpu_bytes)
            if reason is not None:
                return ActorAbout(node=node, reason=reason)
        folder = self._start.folder
        self._process = WorkerProcess(
            env=worker_env(self._start.env, n_threads=self._start.n_threads, gpu_ids=gpu_ids),
            hear=self._hear,
            hear_error=partial(self._note, self._said.errors),
            folder=Path(folder) if folder else self._own_folder(),
        )
        return ActorAbout(node=node, pid=self._process.pid)

    def _own_folder(self) -> Path:
        assert self.files is not None, "there is no folder that is shared"
        return self.files.root

    def _check(self, node: str) -> None:
        start = self._start
        if start.version != __version__:
            raise UsageError(
                f"{node} has csae-bench {__version__}, and this machine {start.version}: install "
                "the same version on all machines."
            )
        for place in (start.folder, start.marker):
            if place is not None and not Path(place).exists():
                folder = start.folder if place == start.folder else Path(place).parent
                raise UsageError(
                    f"{folder}: is not on {node}. Put it on a disk that all machines share, or "
                    "use --collect."
                )

    def _hear(self, message: WorkerMessage | None) -> None:
        if message is not None:
            self._note(self._said.lines, message.to_line())
            return
        with self._changed:
            self._said.is_gone = True
            self._changed.notify_all()

    def _note(self, lines: list[str], line: str) -> None:
        with self._changed:
            lines.append(line)
            self._changed.notify_all()


def _node_name() -> str:
    import ray

    node_id = ray.get_runtime_context().get_node_id()
    return f"{ray.util.get_node_ip_address()}/{node_id[:8]}"


def _gpu_ids() -> list[str]:
    import ray

    with contextlib.suppress(KeyError):
        return list(ray.get_runtime_context().get_accelerator_ids()["GPU"])
    return []


def _why_no_room(gpu_ids: list[str], needed: float) -> str | None:
    """Wait until the GPU has room for the largest job; say so if it gets none."""
    until = time.monotonic() + _SECONDS_FOR_GPU
    while True:
        available = min(
            (size for gpu in gpu_ids if (size := available_bytes(f"cuda:{gpu}")) is not None),
            default=None,  # nvidia-smi is not there, as in some containers
        )
        if available is None or available >= needed:
            return None
        if time.monotonic() > until:
            return (
                f"has {available / GIB:.1f} GiB free on GPU {','.join(gpu_ids)}, of about "
                f"{needed / GIB:.1f} GiB that are needed (process {os.getpid()})"
            )
        time.sleep(2.0)
