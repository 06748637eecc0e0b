"""What an executor and its workers say to each other: JSON objects, one a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

import csae_bench.errors
from csae_bench.errors import CsaeBenchError, RunError
from csae_bench.executors import Done
from csae_bench.results.failures import failure_of
from csae_bench.results.schema import Cell
from csae_bench.runs.request import RunRequest

END = "end"
"""Line to a worker, after its last shard."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """SAEs that one worker runs in one session, to a worker."""

    number: int
    requests: tuple[RunRequest, ...]
    train_only: bool = False

    def to_line(self) -> str:
        """Return the message."""
        return _SHARD.dump_json(self).decode()

    @classmethod
    def from_line(cls, line: str) -> Shard:
        """Return the shard of a message."""
        return _SHARD.validate_json(line)


@dataclass(frozen=True, kw_only=True)
class WorkerMessage:
    """A step of an SAE that has ended, a line of progress, or the end of a shard; from a worker."""

    shard: int
    sae: int | None = None
    """Place of the SAE in the shard; None: the message is about none."""
    name: str = ""
    cell: dict[str, Any] | None = None
    weights_hash: str | None = None
    error: dict[str, Any] | None = None
    line: str | None = None
    """Progress; the other fields of a step are empty then."""
    is_passing: bool = False
    """Whether the next line of progress replaces this one."""
    is_end: bool = False
    """Whether the shard is done."""

    def to_line(self) -> str:
        """Return the message."""
        return _WORKER_MESSAGE.dump_json(self, exclude_defaults=True).decode()

    @classmethod
    def from_line(cls, line: str) -> WorkerMessage:
        """Return the message of a line.

        Raises:
            ValueError: it is none.
        """
        return _WORKER_MESSAGE.validate_json(line)


_SHARD: TypeAdapter[Shard] = TypeAdapter(Shard)
_WORKER_MESSAGE: TypeAdapter[WorkerMessage] = TypeAdapter(WorkerMessage)


def failed_message(shard: int, sae: int, error: Exception) -> WorkerMessage:
    """Return the message of an SAE that could not be begun."""
    return WorkerMessage(shard=shard, sae=sae, name="run", error=error_to_json(error))


def step_message(shard: int, sae: int, done: Done) -> WorkerMessage:
    """Return the message of a step that has ended."""
    return WorkerMessage(
        shard=shard,
        sae=sae,
        name=done.name,
        cell=None if done.cell is None else done.cell.model_dump(mode="json"),
        weights_hash=done.weights_hash,
        error=None if done.error is None else error_to_json(done.error, _folder(done)),
    )


def cell_of(message: WorkerMessage) -> Cell | None:
    """Return the cell of a step."""
    return None if message.cell is None else Cell.model_validate(message.cell)


def error_to_json(error: BaseException, folder: Path | None = None) -> dict[str, Any]:
    """Return an error as JSON; the traceback of one that is not ours goes into the folder."""
    if isinstance(error, CsaeBenchError):
        return {"kind": type(error).__name__, "message": str(error)}
    failure = failure_of(error, folder)
    return {"kind": RunError.__name__, "message": f"{failure.kind}: {failure.message}"}


def error_from_json(error: dict[str, Any]) -> CsaeBenchError:
    """Return one of our errors, of the same class and with the same text."""
    kind = getattr(csae_bench.errors, error["kind"], RunError)
    raised: CsaeBenchError = kind.__new__(kind)
    # some classes make their text of other arguments, and know more than the text
    Exception.__init__(raised, error["message"])
    return raised


def _folder(done: Done) -> Path | None:
    resolved_sae = done.sae.resolved_sae
    if resolved_sae is None:
        return None
    store = done.sae.request.store
    return store.artifacts("run", resolved_sae.release, resolved_sae.sae_id)
