"""Executes one job in a session and stores its output: everything about an eval but its science."""

from __future__ import annotations

import contextlib
import random
import shutil
import sys
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ValidationError

from csae_bench.errors import EvalError
from csae_bench.evals import EvalConfig, EvalContext, EvalResult, EvalSpec, get_eval
from csae_bench.hardware.peak_memory import peak_memory_gib
from csae_bench.results.envelope import Provenance, eval_result, not_finite, value_at
from csae_bench.results.failures import failure_of
from csae_bench.results.keys import digest
from csae_bench.results.schema import Cell, Failure
from csae_bench.results.slots import Slot, find_slot, provenance_of, seconds_last_time
from csae_bench.results.store import Store, write_json
from csae_bench.runs.job import EvalJob
from csae_bench.runs.session import Session
from csae_bench.support import progress
from csae_bench.upstream import sae_cfg_dict
from csae_bench.upstream.validation import SAE_BENCH_EVALS, validate_as_sae_bench

INVALID = "the SAE is invalid, so it gets no scores"


_MAX_SHOWN = 80
"""Characters of a wrong value in a message."""


class NamedCell(NamedTuple):
    """A cell of the run record under its name."""

    name: str
    cell: Cell


@dataclass(frozen=True, kw_only=True)
class ExecuteOptions:
    """Settings of how jobs are executed; none of them changes a number."""

    force: bool = False
    """Measure again what has a result."""
    progress: bool = False
    """Show bars on stderr."""
    place: str = ""
    """Place of the eval among those of its SAE, such as `2 of 6`; empty: it is not said."""


def execute(job: EvalJob, session: Session, store: Store, options: ExecuteOptions) -> NamedCell:
    """Run one eval and file its result, unless that is there already.

    A failure is a cell, not an exception. The cell goes by the eval's name, or by that of its
    variant where a result under other conditions is there already.
    """
    spec, slot = get_eval(job.eval_name), _slot(job, store)
    if slot.key == job.key and slot.present is not None and not options.force:
        return _cell(job, store, slot, slot.present)
    place = options.place and f" ({options.place})"
    expected = seconds_last_time(store, job.eval_name)
    progress.begin(f"evaluating {job.eval_name}{place}", expected=expected)
    started = time.perf_counter()
    try:
        return _filed(spec, job, session, store, options)
    except Exception as error:  # an eval is anybody's code; its failure is a cell
        seconds = time.perf_counter() - started
        return NamedCell(slot.cell, _failed(slot, error, seconds, session.device))


def measure(
    job: EvalJob,
    session: Session,
    *,
    artifacts: Path,
    cache: Path | None,
    shows_progress: bool = False,
) -> EvalResult:
    """Run one eval and return what it measured; nothing is filed.

    Torch's and NumPy's global generators are seeded from the job's seed and the eval's name, and
    put back afterwards.
    """
    import torch

    from csae_bench.support.float32_products import float32_products

    spec, settings = get_eval(job.eval_name), settings_of(job)
    sae = session.sae(job.sae)
    repetition = {"eval_seed": job.eval_seed} if job.eval_seed else {}
    seed = int(digest({"seed": job.seed, "eval": spec.name, **repetition})[:8], 16)
    context = EvalContext(
        sae=sae,
        sae_id=job.sae.sae_id,
        model_name="" if job.model is None else job.model.name,
        model_true_name="" if job.model is None else job.model.true_name,
        model_fingerprint="" if job.model is None else job.model.fingerprint,
        hook_name=job.sae.hook_name or "",
        device=session.device,
        artifacts=artifacts,
        cache=cache,
        rng=np.random.default_rng(seed),
        load_model=lambda name: session.model(name, job.model_dtype),
        progress=shows_progress,
        encoded=session.codes_of(job.sae),
        shared=session.shared,
    )
    # SAE-Bench prints; stdout is for results.
    with (
        seeded(seed),
        torch.no_grad(),
        contextlib.redirect_stdout(sys.stderr),
        float32_products(session.device, job.model_dtype),
    ):
        return spec.run(context, settings)


@contextlib.contextmanager
def seeded(seed: int) -> Generator[None]:
    """Seed the global generators within the context; restore their state on leaving.

    SAE-Bench draws from them.
    """
    import torch

    with generators_kept():
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        yield


@contextlib.contextmanager
def generators_kept() -> Generator[None]:
    """Restore the state of the global generators of Python, NumPy and torch on leaving."""
    import torch

    numpy_state = np.random.get_state()  # noqa: NPY002 - the global one
    python_state = random.getstate()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


def result_of(
    job: EvalJob,
    measured: EvalResult,
    session: Session,
    *,
    seconds: float,
    slot: Slot | None = None,
) -> dict[str, Any]:
    """Return the `eval_result` JSON of what a job measured, checked.

    Args:
        seconds: that it took.
        slot: where it is filed; None: nowhere.

    Raises:
        EvalError: it holds a NaN, or not what the eval declares.
    """
    from csae_bench.saes.attributes import training_architecture

    spec, sae = get_eval(job.eval_name), session.sae(job.sae)
    provenance = Provenance(
        key=job.key or "",
        weights_hash=job.sae.weights_hash or "",
        training_hash=job.sae.training_hash,
        model=None if job.model is None else job.model.true_name,
        model_fingerprint=None if job.model is None else job.model.fingerprint,
        hook_name=job.sae.hook_name,
        training_architecture=training_architecture(sae),
        seed=job.seed,
        device=session.device,
        config=dict(job.config),
        eval_settings=dict(job.settings),
        conditions=job.conditions,
        variant=None if slot is None else slot.variant,
        differs={} if slot is None else dict(slot.differs),
        versions=dict(job.versions),
        wall_seconds=round(seconds, 3),
        peak_memory_gib=peak_memory_gib(session.device),
    )
    result = eval_result(
        eval_name=spec.name,
        eval_config=measured.eval_config or provenance.eval_settings,
        metrics=measured.metrics,
        details=list(measured.details),
        unstructured=measured.unstructured,
        release=job.sae.release,
        sae_id=job.sae.sae_id,
        sae_cfg=sae_cfg_dict(sae),
        provenance=provenance,
    )
    _check(spec, measured, result)
    return result


def settings_of(job: EvalJob) -> EvalConfig:
    """Return the job's settings as the eval takes them."""
    return get_eval(job.eval_name).config.model_validate(dict(job.settings))


def headline_of(eval_name: str, result: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the few values of a result that tables show: title -> value."""
    headline = get_eval(eval_name).headline
    return {title: value_at(result, place) for title, place in headline.items()}


def skipped(reason: str) -> Cell:
    """Return the cell of an eval that no suitable model or data exists for."""
    return Cell(status="skipped", reasons=(Failure(kind="skipped", message=reason),))


def _filed(
    spec: EvalSpec, job: EvalJob, session: Session, store: Store, options: ExecuteOptions
) -> NamedCell:
    """Run the eval in a folder of its own, then file all that it left."""
    started = time.perf_counter()
    with store.unfinished(spec.name, job.sae.release, job.sae.sae_id) as artifacts:
        measured = measure(
            job,
            session,
            artifacts=artifacts,
            cache=store.cache(spec.name),
            shows_progress=options.progress,
        )
        seconds = time.perf_counter() - started
        with store.lock(spec.name):
            slot = _slot(job, store)  # again: another run may have filed a result meanwhile
            result = result_of(job, measured, session, seconds=seconds, slot=slot)
            write_json(slot.path, result)
            shutil.rmtree(slot.artifacts, ignore_errors=True)
            if artifacts.is_dir():
                artifacts.rename(slot.artifacts)
    return _cell(job, store, slot, result)


def _slot(job: EvalJob, store: Store) -> Slot:
    return find_slot(store, job.eval_name, job.sae.release, job.sae.sae_id, job.conditions)


def _check(spec: EvalSpec, measured: EvalResult, result: dict[str, Any]) -> None:
    places = not_finite(result)
    if places:
        raise EvalError(
            f"{spec.name}: {', '.join(places[:5])} is NaN or infinite; an eval gives null with "
            "a reason where a value is undefined."
        )
    if spec.metrics_model is not None:
        _fits(spec.metrics_model, measured.metrics, f"{spec.name}: metrics")
    if spec.detail_model is not None:
        for i, detail in enumerate(measured.details):
            _fits(spec.detail_model, detail, f"{spec.name}: details.{i}")
    if spec.name in SAE_BENCH_EVALS:
        validate_as_sae_bench(result)


def _fits(model: type[BaseModel], value: Any, place: str) -> None:
    try:
        model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join((place, *(str(part) for part in first["loc"])))
        raise EvalError(
            f"{where} is not as the eval declares it: {first['msg']}; it has "
            f"{str(first['input'])[:_MAX_SHOWN]}."
        ) from error


def _cell(job: EvalJob, store: Store, slot: Slot, result: Any) -> NamedCell:
    provenance = provenance_of(result)
    cell = Cell(
        status="ok",
        warnings=tuple(result["eval_result_unstructured"].get("warnings", ())),
        result=store.relative(slot.path),
        key=job.key,
        wall_seconds=provenance.get("wall_seconds"),
        peak_memory_gib=provenance.get("peak_memory_gib"),
        summary=headline_of(job.eval_name, result),
        differs=dict(slot.differs),
    )
    return NamedCell(slot.cell, cell)


def _failed(slot: Slot, error: Exception, seconds: float, device: str) -> Cell:
    return Cell(
        status="failed",
        reasons=(failure_of(error, slot.artifacts),),
        wall_seconds=round(seconds, 3),
        peak_memory_gib=peak_memory_gib(device),
        differs=dict(slot.differs),
    )
