"""THE flow: from what a user asked for to results on disk and a record of what happened."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csae_bench import identity, models
from csae_bench.checkpoints import ensure_checkpoint, training_of
from csae_bench.config import PermutedSae, RandomSae
from csae_bench.config.loading import is_config, partial_config
from csae_bench.devices import pick_device
from csae_bench.errors import (
    EXIT_FAILED,
    EXIT_OK,
    ConfigError,
    CsaeBenchError,
    PreflightError,
    ResultError,
    RunError,
    SaeError,
)
from csae_bench.failures import failure_of
from csae_bench.harness import Harness, skipped
from csae_bench.preflight import Check, eval_settings, preflight, problems
from csae_bench.results.schema import Cell, Failure, RunRecord, Status
from csae_bench.results.store import read_record, write_json
from csae_bench.results.validity import (
    VitalSigns,
    is_worse_than_ablation,
    reasons_invalid,
)
from csae_bench.saes.folder import find_folder, read_cfg
from csae_bench.saes.hashing import weights_hash
from csae_bench.subjects import (
    RunRequest,
    Subject,
    find_subject,
    is_pretrained,
    load_request_config,
)
from csae_bench.upstream import versions

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformer_lens import HookedTransformer


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to."""

    record: RunRecord
    record_path: Path
    checkpoint: Path | None

    @property
    def exit_code(self) -> int:
        """0 where every cell is ok or skipped, else 4."""
        return EXIT_OK if self.record.status in {"ok", "skipped"} else EXIT_FAILED


def run(request: RunRequest, *, train_only: bool = False) -> Outcome:
    """Trains the SAE unless it is there, judges it, runs its evals and records all of it.

    Raises:
        ConfigError, PreflightError and other UsageErrors: nothing was started; where the SAE's
            name is known, a failed record says why.
        RunError: training failed; the record says so too.
    """
    clock = _Clock()
    subject = _checked_subject(request, clock, train_only=train_only)
    device = pick_device(subject.config.device)
    loaded = _Loaded(subject, device)
    try:
        ensure_checkpoint(subject, request, device=device, load_model=loaded.model)
        hashed = weights_hash(subject.checkpoint)
        cells = {"training": _training_cell(subject)}
        if not train_only:
            cells |= _evaluate(request, subject, loaded, hashed)
    except (Exception, KeyboardInterrupt) as error:
        raise _recorded(error, request, subject, clock) from error
    record = _record(request, subject, clock, cells, hashed)
    return Outcome(
        record=record, record_path=_write(request, record), checkpoint=subject.checkpoint.resolve()
    )


def doctor(request: RunRequest) -> list[Check]:
    """What would keep the run from succeeding, without running it.

    What is wrong in the configuration comes first, then what preflight finds in the rest.
    """
    if is_pretrained(request.source):
        return [_pretrained_check(request.source)]
    try:
        subject = _subject_or_all_problems(request)
    except ConfigError as error:
        return [Check("config", "problem", problem) for problem in error.problems]
    return preflight(subject, results=request.results, device=request.device)


def _pretrained_check(source: str) -> Check:
    from csae_bench.saes.pretrained import check_listed

    try:
        check_listed(*source.split(":", 1))
    except SaeError as error:
        return Check("sae", "problem", str(error))
    return Check("sae", "unknown", f"{source} is on the hub: not checkable here")


def _checked_subject(request: RunRequest, clock: _Clock, *, train_only: bool) -> Subject:
    subject: Subject | None = None
    try:
        subject = _subject_or_all_problems(request)
        if train_only and subject.training_hash is None:
            raise PreflightError(
                [f"{request.source}: is trained already; there is nothing to train."]
            )
        found = problems(preflight(subject, results=request.results, device=request.device))
        if found:
            raise PreflightError(found)
        return subject
    except (ConfigError, PreflightError) as error:
        subject = subject or _subject_despite_problems(request)
        if subject is not None:
            record = _refused_record(request, subject, clock, error.problems)
            _write_if_possible(request, record)
        raise


def _subject_or_all_problems(request: RunRequest) -> Subject:
    """The subject, or a ConfigError that lists also what preflight finds in the sound rest."""
    if not is_config(request.source):
        return find_subject(request)
    try:
        resolved = load_request_config(request)
    except ConfigError as error:
        subject = _subject_despite_problems(request)
        if subject is None:
            raise
        more = problems(preflight(subject, results=request.results, device=request.device))
        raise ConfigError([*error.problems, *more]) from error
    return find_subject(request, resolved)


def _subject_despite_problems(request: RunRequest) -> Subject | None:
    """The subject with every offending value at its default, where that makes sense at all."""
    if not is_config(request.source):
        return None
    try:
        resolved = partial_config(
            request.source,
            sets=request.sets,
            model=request.model,
            seed=request.seed,
            device=request.device,
            evals=request.evals,
        )
        return None if resolved is None else find_subject(request, resolved)
    except CsaeBenchError:  # the problem that is being reported keeps the subject from being known
        return None


def _evaluate(
    request: RunRequest, subject: Subject, loaded: _Loaded, hashed: str
) -> dict[str, Cell]:
    settings = eval_settings(subject)
    validity = _validity(request, subject, loaded, hashed)
    cells = {"validity": validity}
    if validity.status != "ok":
        reason = "the SAE is invalid, so it gets no scores"
        return cells | {name: skipped(reason) for name in settings}
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
        cells[name] = harness.run(name, config)
    return cells


def _validity(request: RunRequest, subject: Subject, loaded: _Loaded, hashed: str) -> Cell:
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


def _training_cell(subject: Subject) -> Cell:
    if not subject.config.is_trained or subject.training_hash is None:
        return skipped("there is nothing to train")
    return Cell(status="ok", key=subject.training_hash)


def _record(
    request: RunRequest, subject: Subject, clock: _Clock, cells: dict[str, Cell], hashed: str
) -> RunRecord:
    cfg = read_cfg(find_folder(subject.checkpoint))
    metadata: dict[str, Any] = cfg.get("metadata") or {}
    return _known_of(request, subject, clock).model_copy(
        update={
            "status": _overall(cells),
            "training_architecture": metadata.get("training_architecture") or cfg["architecture"],
            "d_in": cfg["d_in"],
            "d_sae": cfg["d_sae"],
            "weights_hash": hashed,
            "cells": cells,
        }
    )


def _refused_record(
    request: RunRequest, subject: Subject, clock: _Clock, found: list[str]
) -> RunRecord:
    return _known_of(request, subject, clock).model_copy(update={"problems": tuple(found)})


def _recorded(
    error: BaseException, request: RunRequest, subject: Subject, clock: _Clock
) -> BaseException:
    """Files the failed record and gives the error to raise, one of ours or KeyboardInterrupt."""
    folder = request.store.artifacts("run", subject.release, subject.sae_id)
    failure = failure_of(error, folder)
    failed = Cell(status="failed", reasons=(failure,))
    cells = (
        {"training": _training_cell(subject), "validity": failed}
        if subject.is_ready
        else {"training": failed}
    )
    record = _known_of(request, subject, clock).model_copy(update={"cells": cells})
    _write_if_possible(request, record)
    if isinstance(error, CsaeBenchError | KeyboardInterrupt):
        return error
    return RunError(f"{failure.kind}: {failure.message}")


def _known_of(request: RunRequest, subject: Subject, clock: _Clock) -> RunRecord:
    """What is known of a run before it starts; failed until something better is known."""
    return RunRecord(
        status="failed",
        release=subject.release,
        sae_id=subject.sae_id,
        source=request.source,
        model=subject.model.name if subject.model else "none",
        hook_name=subject.hook_name,
        training_hash=subject.training_hash,
        training=training_of(subject, request.store),
        config=subject.config.model_dump(mode="json"),
        origins=subject.resolved.origins,
        versions=versions(),
        started=clock.started,
        wall_seconds=clock.seconds(),
    )


def _write(request: RunRequest, record: RunRecord) -> Path:
    path = request.store.run_record(record.release, record.sae_id)
    write_json(path, record)
    return path


def _write_if_possible(request: RunRequest, record: RunRecord) -> None:
    """Files a record of what went wrong; where it cannot be filed, that is not the news."""
    with contextlib.suppress(ResultError):
        _write(request, record)


def _overall(cells: dict[str, Cell]) -> Status:
    found = {cell.status for cell in cells.values()}
    for status in ("failed", "invalid"):
        if status in found:
            return status
    return "ok"


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and value == value and abs(value) != float("inf")


@dataclass
class _Clock:
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    _began: float = field(default_factory=time.perf_counter)

    def seconds(self) -> float:
        return round(time.perf_counter() - self._began, 3)


@dataclass
class _Loaded:
    """The SAE and the models of a run, each loaded once, when it is first wanted."""

    subject: Subject
    device: str
    _sae: SAE[Any] | None = None
    _models: dict[str, HookedTransformer] = field(default_factory=dict)

    def sae(self) -> SAE[Any]:
        if self._sae is None:
            self._set_threads()
            from csae_bench.saes.loading import load_sae

            self._sae = load_sae(self.subject.checkpoint, device=self.device)
            _fill_metadata(self._sae, self.subject)
        return self._sae

    def model(self, name: str) -> HookedTransformer:
        true_name = models.describe(name).name
        if true_name not in self._models:
            self._set_threads()
            self._models[true_name] = models.load(
                name, device=self.device, dtype=self.subject.config.model_dtype
            )
        return self._models[true_name]

    def _set_threads(self) -> None:
        if self.subject.config.threads is not None:
            import torch

            torch.set_num_threads(self.subject.config.threads)


def _fill_metadata(sae: SAE[Any], subject: Subject) -> None:
    """What --model and --set say of an SAE that came as a folder."""
    metadata = sae.cfg.metadata
    if subject.model is not None:
        metadata.model_name = subject.model.name
        metadata.hook_name = subject.hook_name
        if metadata.prepend_bos is None:
            metadata.prepend_bos = True
