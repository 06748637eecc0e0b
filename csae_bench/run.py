"""THE flow: from what a user asked for to results on disk and a record of what happened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csae_bench import identity, models, progress
from csae_bench.checkpoints import ensure_checkpoint
from csae_bench.config import PermutedSae, RandomSae
from csae_bench.devices import pick_device
from csae_bench.errors import EXIT_FAILED, EXIT_OK, ConfigError, PreflightError
from csae_bench.harness import Harness, skipped
from csae_bench.loaded import Loaded
from csae_bench.preflight import eval_settings, preflight, problems
from csae_bench.preflight.doctor import subject_despite_problems, subject_or_all_problems
from csae_bench.records import Clock, Recorder, training_cell
from csae_bench.results.schema import Cell, Failure, RunRecord
from csae_bench.results.store import read_record
from csae_bench.results.validity import (
    VitalSigns,
    is_worse_than_ablation,
    reasons_invalid,
)
from csae_bench.saes.hashing import weights_hash
from csae_bench.subjects import RunRequest, Subject
from csae_bench.upstream import versions


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of a run: its record, where that is filed, and the checkpoint."""

    record: RunRecord
    """What this run did; the file also has the cells of earlier runs of the same SAE."""
    record_path: Path
    checkpoint: Path | None

    @property
    def exit_code(self) -> int:
        """0 where every cell is ok or skipped, else 4."""
        return EXIT_OK if self.record.status in {"ok", "skipped"} else EXIT_FAILED


def run(request: RunRequest, *, train_only: bool = False) -> Outcome:
    """Train the SAE unless it is there, judge it, run its evals and record all of it.

    Raises:
        ConfigError, PreflightError and other UsageErrors: nothing was started; where the SAE
            itself is at fault and has no record yet, a failed one says why.
        RunError: training failed; the record says so too.
    """
    clock = Clock()
    subject = _checked_subject(request, clock, train_only=train_only)
    recorder = Recorder(request, subject, clock)
    device = pick_device(subject.config.device)
    loaded = Loaded(subject, device)
    cells: dict[str, Cell] = {}
    hashed = None
    try:
        ensure_checkpoint(subject, request, device=device, load_model=loaded.model)
        hashed = weights_hash(subject.checkpoint)
        cells["training"] = training_cell(subject)
        record, path = recorder.file(cells, hashed)
        if not train_only:
            for name, cell in _evaluate(request, subject, loaded, hashed):
                cells[name] = cell
                record, path = recorder.file(cells, hashed)
    except (Exception, KeyboardInterrupt) as error:
        raise recorder.failed(error, cells, hashed) from error
    return Outcome(record=record, record_path=path, checkpoint=subject.checkpoint.resolve())


def _checked_subject(request: RunRequest, clock: Clock, *, train_only: bool) -> Subject:
    try:
        subject = subject_or_all_problems(request)
    except ConfigError as error:
        named = _named_despite_problems(request)
        if named is not None:
            Recorder(request, named, clock).refused(error.problems)
        raise
    if train_only and subject.training_hash is None:
        raise PreflightError([f"{request.source}: is trained already; there is nothing to train."])
    checks = preflight(subject, results=request.results, device=request.device)
    found = problems(checks)
    if found:
        if any(check.is_about_the_sae for check in checks if check.outcome == "problem"):
            Recorder(request, subject, clock).refused(found)
        raise PreflightError(found)
    return subject


def _named_despite_problems(request: RunRequest) -> Subject | None:
    """The SAE of a configuration with faults of its own, where it is known what it is called.

    The name holds what --set changed, which is not known where something in all that is wrong.
    """
    return None if request.sets else subject_despite_problems(request)


def _evaluate(
    request: RunRequest, subject: Subject, loaded: Loaded, hashed: str
) -> Iterator[tuple[str, Cell]]:
    """Yield each cell as soon as it is there."""
    settings = eval_settings(subject)
    validity = _validity(request, subject, loaded, hashed)
    yield "validity", validity
    if validity.status != "ok":
        reason = "the SAE is invalid, so it gets no scores"
        for name in settings:
            yield name, skipped(reason)
        return
    harness = Harness(
        subject=subject,
        store=request.store,
        weights_hash=hashed,
        device=loaded.device,
        sae=loaded.sae,
        load_model=loaded.model,
        force=request.force,
        progress=request.progress,
    )
    for name, config in settings.items():
        yield harness.run(name, config)


def _validity(request: RunRequest, subject: Subject, loaded: Loaded, hashed: str) -> Cell:
    key = identity.digest(
        {
            "weights": hashed,
            "model": models.weights_fingerprint(subject.config.model) if subject.model else None,
            "activations": subject.config.activations.model_dump(mode="json"),
            "versions": versions(),
        }
    )
    earlier = read_record(request.store.run_record(subject.release, subject.sae_id))
    known = earlier.cells.get("validity") if earlier else None
    if known is not None and known.key == key and not request.force:
        return known
    from csae_bench.vital_signs import vital_signs

    started = time.perf_counter()
    progress.begin("checking that the SAE is alive")
    signs = vital_signs(
        loaded.sae(),
        config=subject.config,
        model=loaded.model(subject.config.model) if subject.model else None,
        hook_name=subject.hook_name,
    )
    is_control = isinstance(subject.config.sae, RandomSae | PermutedSae)
    return _validity_cell(signs, key, is_control, time.perf_counter() - started)


def _validity_cell(signs: VitalSigns, key: str, is_control: bool, seconds: float) -> Cell:
    reasons = reasons_invalid(signs, is_control=is_control)
    warnings = (
        ("cross-entropy is worse than with the activation ablated, as a control's may be",)
        if is_control and is_worse_than_ablation(signs)
        else ()
    )
    return Cell(
        status="invalid" if reasons else "ok",
        reasons=tuple(Failure(kind="invalid", message=reason) for reason in reasons),
        warnings=warnings,
        key=key,
        wall_seconds=round(seconds, 3),
        summary={name: value for name, value in vars(signs).items() if _is_number(value)},
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and value == value and abs(value) != float("inf")
