"""The run record: what was planned, what happened, and why, for every cell of a run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

RECORD_VERSION = 1

STEPS = ("training", "validity")
"""Cells of a record that are not evals."""

CellStatus = Literal["ok", "failed", "skipped", "invalid"]


class Record(BaseModel):
    """Base of everything that is written to disk as a record."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Failure(Record):
    """Reason why a cell has no result."""

    kind: str
    """Class of the error, or `skipped`, `invalid`."""
    message: str


class Cell(Record):
    """One step of a run: the training, or one eval."""

    status: CellStatus
    reasons: tuple[Failure, ...] = ()
    """Why the status is not ok; empty if it is."""
    warnings: tuple[str, ...] = ()
    result: str | None = None
    """Path of the result JSON, relative to the results folder."""
    key: str | None = None
    """Hash of weights, settings, model and data; an equal key means there is nothing to do."""
    wall_seconds: float | None = None
    peak_memory_gib: float | None = None
    summary: dict[str, float | None] = {}
    """The few values that the table on the terminal shows."""
    differs: dict[str, Any] = {}
    """Difference of a result from the SAE's first one: conditions that differ, with values."""


class Training(Record):
    """Planned and actual training."""

    planned_steps: int
    executed_steps: int
    n_tokens: int
    """Rows used: executed steps * batch size."""
    final_loss: float | None
    training_log: str | None
    """Path of the training log, relative to the results folder."""
    checkpoint: str | None
    """Path of the checkpoint, relative to the results folder."""
    wall_seconds: float | None = None
    n_side_by_side: int = 1
    """SAEs trained on the same rows at the same time; the time and the memory are those of all."""
    peak_memory_gib: float | None = None
    epochs: int = 0
    """Completed passes over a finite dataset; 0 if no row was used twice."""
    l0_training: float | None = None
    """Mean active latents in the form that was trained."""
    l0_inference: float | None = None
    """The same of the saved inference form, on the same rows."""
    pair_separation: float | None = None
    """On held-out pairs, mean cosine of a pair's codes minus that of codes of different pairs."""
    pair_separation_by_kind: dict[str, float | None] = {}
    """The same of each kind of pairs by itself."""
    shift_participation: float | None = None
    """On held-out minimal pairs, mean number of latents that make the change of the code:
    (|u|_1 / |u|_2)^2, 1 to d_sae, u the change times the norms of the decoder's rows."""


class LostWorker(Record):
    """A worker that ended before the shard with this SAE was done; the shard was begun again."""

    worker: str
    """What progress called it."""
    node: str
    """Name or address of its machine."""
    pid: int | None
    """Id of its process there."""
    shard: int
    """Number of the shard among those that the run began, from 0."""
    attempt: int
    """How many times the shard had been begun; it is given up after the third."""
    reason: str
    """How the worker ended."""


class RunRecord(Record):
    """One run of one SAE: `DIR/runs/<release>_<sae_id>.json`."""

    record_version: int = RECORD_VERSION
    status: CellStatus
    release: str
    sae_id: str
    source: str
    """Value of `--sae`."""
    model: str
    hook_name: str | None
    training_architecture: str | None = None
    d_in: int | None = None
    d_sae: int | None = None
    weights_hash: str | None = None
    training_hash: str | None = None
    problems: tuple[str, ...] = ()
    """Problems found by preflight; empty if the run started."""
    training: Training | None = None
    cells: dict[str, Cell] = {}
    """`training`, `validity` and one per result: the eval's name, or `<eval>_<8 hex digits>` of one
    under other conditions than the SAE's first."""
    lost_workers: tuple[LostWorker, ...] = ()
    """Workers that this run lost while they worked on this SAE or others of its shard."""
    config: dict[str, Any] | None = None
    """The resolved configuration that ran."""
    origins: dict[str, str] = {}
    """Dotted key of the configuration -> default, file or flag."""
    versions: dict[str, str] = {}
    started: str
    """UTC, ISO 8601."""
    wall_seconds: float
