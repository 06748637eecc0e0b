"""What is filed of a run: its record, whether it ended well, badly or never began."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from csae_bench.checkpoints import training_of
from csae_bench.errors import CsaeBenchError, ResultError, RunError
from csae_bench.failures import failure_of
from csae_bench.harness import skipped
from csae_bench.results.schema import Cell, RunRecord, Status
from csae_bench.results.store import write_json
from csae_bench.saes.architectures import architecture_of
from csae_bench.saes.folder import find_folder, read_cfg
from csae_bench.subjects import RunRequest, Subject
from csae_bench.upstream import versions


@dataclass(frozen=True)
class Clock:
    """When a run began."""

    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    """UTC, ISO 8601."""
    began: float = field(default_factory=time.perf_counter)

    def seconds(self) -> float:
        """Time since, in seconds."""
        return round(time.perf_counter() - self.began, 3)


@dataclass(frozen=True)
class Recorder:
    """Files the record of one run."""

    request: RunRequest
    subject: Subject
    clock: Clock

    def finished(self, cells: dict[str, Cell], weights_hash: str) -> tuple[RunRecord, Path]:
        """Of a run that came to its end; the record and where it lies.

        Raises:
            ResultError: it cannot be written.
        """
        cfg = read_cfg(find_folder(self.subject.checkpoint))
        metadata: dict[str, Any] = cfg.get("metadata") or {}
        record = self._known().model_copy(
            update={
                "status": _overall(cells),
                "training_architecture": metadata.get("training_architecture")
                or architecture_of(cfg),
                "d_in": cfg["d_in"],
                "d_sae": cfg["d_sae"],
                "weights_hash": weights_hash,
                "cells": cells,
            }
        )
        return record, self._write(record)

    def refused(self, problems: list[str]) -> None:
        """Of a run that preflight refused."""
        self._write_if_possible(self._known().model_copy(update={"problems": tuple(problems)}))

    def failed(self, error: BaseException) -> BaseException:
        """Of a run that stopped; gives the error to raise, one of ours or KeyboardInterrupt."""
        folder = self.request.store.artifacts("run", self.subject.release, self.subject.sae_id)
        failure = failure_of(error, folder)
        failed = Cell(status="failed", reasons=(failure,))
        cells = (
            {"training": training_cell(self.subject), "validity": failed}
            if self.subject.is_ready
            else {"training": failed}
        )
        self._write_if_possible(self._known().model_copy(update={"cells": cells}))
        if isinstance(error, CsaeBenchError | KeyboardInterrupt):
            return error
        return RunError(f"{failure.kind}: {failure.message}")

    def _known(self) -> RunRecord:
        """What is known of a run before it starts; failed until something better is known."""
        subject = self.subject
        return RunRecord(
            status="failed",
            release=subject.release,
            sae_id=subject.sae_id,
            source=self.request.source,
            model=subject.model.name if subject.model else "none",
            hook_name=subject.hook_name,
            training_hash=subject.training_hash,
            training=training_of(subject, self.request.store),
            config=subject.config.model_dump(mode="json"),
            origins=subject.resolved.origins,
            versions=versions(),
            started=self.clock.started,
            wall_seconds=self.clock.seconds(),
        )

    def _write(self, record: RunRecord) -> Path:
        path = self.request.store.run_record(record.release, record.sae_id)
        write_json(path, record)
        return path

    def _write_if_possible(self, record: RunRecord) -> None:
        """Files what went wrong; where it cannot be filed, that is not the news."""
        with contextlib.suppress(ResultError):
            self._write(record)


def training_cell(subject: Subject) -> Cell:
    """The cell of a training that is done, or that there was none."""
    if not subject.config.is_trained or subject.training_hash is None:
        return skipped("there is nothing to train")
    return Cell(status="ok", key=subject.training_hash)


def _overall(cells: dict[str, Cell]) -> Status:
    found = {cell.status for cell in cells.values()}
    for status in ("failed", "invalid"):
        if status in found:
            return status
    return "ok"
