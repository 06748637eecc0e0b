"""Writes the record of a run, whether it succeeded, failed or never started."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from csae_bench.errors import CsaeBenchError, ResultError, RunError
from csae_bench.results.cells import CellFiles
from csae_bench.results.failures import failure_of
from csae_bench.results.merging import merged, overall, with_cells
from csae_bench.results.schema import Cell, LostWorker, RunRecord
from csae_bench.results.store import Store, read_record, write_json
from csae_bench.runs.checkpoints import training_of
from csae_bench.runs.request import RunRequest
from csae_bench.runs.resolving import ResolvedSae
from csae_bench.saes.architectures import architecture_of
from csae_bench.saes.checking import cfg_of
from csae_bench.saes.folder import find_folder
from csae_bench.upstream import versions


@dataclass(frozen=True)
class Clock:
    """Start time of a run."""

    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    """UTC, ISO 8601."""
    began: float = field(default_factory=time.perf_counter)

    def seconds(self) -> float:
        """Time since, in seconds."""
        return round(time.perf_counter() - self.began, 3)


@dataclass(frozen=True)
class Recorder:
    """Writer of the record of one run; cells that other runs of the same SAE wrote stay."""

    request: RunRequest
    sae: ResolvedSae
    clock: Clock
    lost_workers: tuple[LostWorker, ...] = ()

    def file(self, cells: Mapping[str, Cell], weights_hash: str) -> tuple[RunRecord, Path]:
        """Write the cells that the run has so far; return its record and the path.

        Raises:
            ResultError: it cannot be written.
        """
        cfg = cfg_of(find_folder(self.sae.checkpoint))
        metadata: dict[str, Any] = cfg.get("metadata") or {}
        record = self._known().model_copy(
            update={
                "status": overall(cells),
                "training_architecture": metadata.get("training_architecture")
                or architecture_of(cfg),
                "d_in": cfg["d_in"],
                "d_sae": cfg["d_sae"],
                "weights_hash": weights_hash,
                "cells": dict(cells),
            }
        )
        return record, self._merge(record)

    def refused(self, problems: list[str]) -> None:
        """Write the record of a run that preflight rejected, unless the SAE has one already."""
        record = self._known().model_copy(update={"problems": tuple(problems)})
        # best effort: an unwritable record must not hide the refusal
        with contextlib.suppress(ResultError), self._lock():
            if not self._path.exists():
                write_json(self._path, record)

    def failed(
        self, error: BaseException, cells: Mapping[str, Cell], weights_hash: str | None
    ) -> BaseException:
        """Write why a run stopped; return the error to raise, one of ours or KeyboardInterrupt.

        Args:
            cells: the cells that it had finished.
            weights_hash: None if it stopped before the weights existed.
        """
        folder = self.request.store.artifacts("run", self.sae.release, self.sae.sae_id)
        failure = failure_of(error, folder)
        stopped_at = "training" if weights_hash is None else "run"
        record = self._known().model_copy(
            update={
                "weights_hash": weights_hash,
                "cells": {**cells, stopped_at: Cell(status="failed", reasons=(failure,))},
            }
        )
        with contextlib.suppress(ResultError):  # must not hide the original error
            self._merge(record)
        if isinstance(error, CsaeBenchError | KeyboardInterrupt):
            return error
        return RunError(f"{failure.kind}: {failure.message}")

    def _known(self) -> RunRecord:
        """Return the record of a run before it starts: failed, until something better is known."""
        sae = self.sae
        return RunRecord(
            status="failed",
            release=sae.release,
            sae_id=sae.sae_id,
            source=self.request.source,
            model=sae.model.name if sae.model else "none",
            hook_name=sae.hook_name,
            training_hash=sae.training_hash,
            training=training_of(sae, self.request.store),
            lost_workers=self.lost_workers,
            config=sae.config.model_dump(mode="json"),
            origins=sae.resolved.origins,
            versions=versions(),
            started=self.clock.started,
            wall_seconds=self.clock.seconds(),
        )

    @property
    def _path(self) -> Path:
        return self.request.store.run_record(self.sae.release, self.sae.sae_id)

    def _lock(self) -> FileLock:
        return self.request.store.lock(self._path.stem)

    def _merge(self, record: RunRecord) -> Path:
        return file_record(self.request.store, record)


def file_record(store: Store, record: RunRecord) -> Path:
    """Merge a record with the one that is there, and return its path.

    Each cell is a file of its own, which no other run writes at the same time; the record is made
    of them.

    Raises:
        ResultError: it cannot be written.
    """
    path = store.run_record(record.release, record.sae_id)
    cells = CellFiles(store.cells(record.release, record.sae_id))
    cells.write(record.cells, record.weights_hash)
    with store.lock(path.stem):
        try:
            earlier = read_record(path)
        except ResultError:  # damaged
            earlier = None
        known = merged(earlier, record)
        write_json(path, with_cells(known, cells.read(known.weights_hash)))
    return path
