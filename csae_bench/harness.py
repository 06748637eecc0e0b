"""Runs one eval: everything about it that is not its science."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from csae_bench import identity, models, progress
from csae_bench.errors import EvalError
from csae_bench.evals import EvalConfig, EvalContext, EvalResult, EvalSpec, get_eval
from csae_bench.factors import factor_fingerprint
from csae_bench.failures import failure_of
from csae_bench.measuring import peak_memory_gib
from csae_bench.results.envelope import Provenance, eval_result, not_finite, value_at
from csae_bench.results.schema import Cell, Failure
from csae_bench.results.slots import Slot, find_slot, provenance_of
from csae_bench.results.store import Store, write_json
from csae_bench.subjects import Subject
from csae_bench.upstream import sae_cfg_dict, versions

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformer_lens import HookedTransformer

    from csae_bench.factors.encoding import FactorCodes


class NamedCell(NamedTuple):
    """A cell of the run record under its name."""

    name: str
    cell: Cell


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One eval with what its result is keyed on."""

    spec: EvalSpec
    settings: EvalConfig
    conditions: Mapping[str, Any]
    key: str


@dataclass(frozen=True, kw_only=True)
class Harness:
    """Runs the evals of one subject; models are loaded once and shared."""

    subject: Subject
    store: Store
    weights_hash: str
    device: str
    sae: Callable[[], SAE[Any]]
    """Gives the SAE, loaded at the first call."""
    load_model: Callable[[str], HookedTransformer]
    """Gives a model by name, loaded once per run."""
    force: bool = False
    progress: bool = False
    encoded: dict[tuple[Any, ...], FactorCodes] = field(default_factory=dict)
    """Codes of factor datasets, which the evals share."""

    def run(self, name: str, settings: EvalConfig) -> NamedCell:
        """Run one eval, unless its result is there already.

        Its failure is a cell, not an exception. The cell goes by the eval's name, or by that of
        its variant where a result under other conditions is there already.
        """
        spec = get_eval(name)
        if self.subject.model is None and settings.needs_model(None):
            reason = "the SAE was trained on generated activations: there is no model"
            return NamedCell(name, skipped(reason))
        reason = settings.skip_reason(self._model_name)
        if reason is not None:
            return NamedCell(name, skipped(reason))
        job = self._job(spec, settings)
        slot = self._slot(job)
        if slot.key == job.key and not self.force:
            return self._cell(job, slot, slot.present or {})
        progress.begin(f"evaluating {name}")
        started = time.perf_counter()
        try:
            return self._filed(job, started)
        except Exception as error:  # an eval is anybody's code; its failure is a cell of the record
            return self._failed(slot, error, time.perf_counter() - started)

    def _job(self, spec: EvalSpec, settings: EvalConfig) -> _Job:
        conditions = self._conditions(settings)
        model = settings.model or self._model_name
        key = identity.digest(
            {
                "eval": spec.name,
                "weights": self.weights_hash,
                "model": models.weights_fingerprint(model) if model else None,
                "versions": versions(),
                **conditions,
            }
        )
        return _Job(spec=spec, settings=settings, conditions=conditions, key=key)

    def _conditions(self, settings: EvalConfig) -> dict[str, Any]:
        """Return what an eval's numbers depend on, weights and versions aside."""
        factors = settings.factor_dataset(self._model_name)
        return {
            "settings": settings.model_dump(mode="json"),
            "model_dtype": self.subject.config.model_dtype,
            "hook_name": self.subject.hook_name,
            "data": settings.data_fingerprint(self._model_name),
            "factors": factor_fingerprint(factors) if factors else None,
            "seed": self.subject.config.seed,
        }

    def _slot(self, job: _Job) -> Slot:
        subject = self.subject
        return find_slot(self.store, job.spec.name, subject.release, subject.sae_id, job.conditions)

    @property
    def _model_name(self) -> str | None:
        """The run's language model; None for an SAE on generated activations."""
        return self.subject.config.model if self.subject.model is not None else None

    def _filed(self, job: _Job, started: float) -> NamedCell:
        """Run the eval in a folder of its own, then file all that it left."""
        store, subject = self.store, self.subject
        with store.unfinished(job.spec.name, subject.release, subject.sae_id) as artifacts:
            measured = self._measured(job, artifacts)
            with store.lock(job.spec.name):
                # anew: another run may have filed a result meanwhile
                slot = self._slot(job)
                result = self._result(job, slot, measured, started)
                self._check(job.spec, measured, result)
                write_json(slot.path, result)
                shutil.rmtree(slot.artifacts, ignore_errors=True)
                if artifacts.is_dir():
                    artifacts.rename(slot.artifacts)
        return self._cell(job, slot, result)

    def _measured(self, job: _Job, artifacts: Path) -> EvalResult:
        import torch

        subject = self.subject
        sae = self.sae()
        seed = int(identity.digest({"seed": subject.config.seed, "eval": job.spec.name})[:8], 16)
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - SAE-Bench draws from the global generator
        context = EvalContext(
            sae=sae,
            resolved=subject.resolved,
            release=subject.release,
            sae_id=subject.sae_id,
            model_name=job.settings.model or self._model_name or "",
            hook_name=subject.hook_name or "",
            device=self.device,
            artifacts=artifacts,
            cache=self.store.cache(job.spec.name),
            rng=np.random.default_rng(seed),
            load_model=self.load_model,
            progress=self.progress,
            encoded=self.encoded,
        )
        # SAE-Bench prints; stdout is for results.
        with torch.no_grad(), contextlib.redirect_stdout(sys.stderr):
            return job.spec.run(context, job.settings)

    def _result(
        self, job: _Job, slot: Slot, measured: EvalResult, started: float
    ) -> dict[str, Any]:
        from csae_bench.saes.attributes import training_architecture

        subject, sae = self.subject, self.sae()
        model_name = job.settings.model or self._model_name
        provenance = Provenance(
            key=job.key,
            weights_hash=self.weights_hash,
            training_hash=subject.training_hash,
            model=models.describe(model_name).name if model_name else None,
            hook_name=subject.hook_name,
            training_architecture=training_architecture(sae),
            seed=subject.config.seed,
            device=self.device,
            config=subject.config.model_dump(mode="json"),
            eval_settings=job.settings.model_dump(mode="json"),
            conditions=dict(job.conditions),
            variant=slot.variant,
            differs=dict(slot.differs),
            versions=versions(),
            wall_seconds=round(time.perf_counter() - started, 3),
            peak_memory_gib=peak_memory_gib(self.device),
        )
        return eval_result(
            eval_name=job.spec.name,
            eval_config=measured.eval_config or provenance.eval_settings,
            metrics=measured.metrics,
            details=list(measured.details),
            unstructured=measured.unstructured,
            release=subject.release,
            sae_id=subject.sae_id,
            sae_cfg=sae_cfg_dict(sae),
            provenance=provenance,
        )

    def _check(self, spec: EvalSpec, measured: EvalResult, result: dict[str, Any]) -> None:
        places = not_finite(result)
        if places:
            raise EvalError(
                f"{spec.name}: {', '.join(places[:5])} is NaN or infinite; an eval gives null with "
                "a reason where a value is undefined."
            )
        if spec.metrics is not None:
            spec.metrics.model_validate(measured.metrics)
        if spec.detail is not None:
            for detail in measured.details:
                spec.detail.model_validate(detail)
        if spec.validate is not None:
            spec.validate(result)

    def _cell(self, job: _Job, slot: Slot, result: Mapping[str, Any]) -> NamedCell:
        provenance = provenance_of(result)
        cell = Cell(
            status="ok",
            warnings=tuple(result["eval_result_unstructured"].get("warnings", ())),
            result=self.store.relative(slot.path),
            key=job.key,
            wall_seconds=provenance.get("wall_seconds"),
            peak_memory_gib=provenance.get("peak_memory_gib"),
            summary={title: value_at(result, place) for title, place in job.spec.headline.items()},
            differs=dict(slot.differs),
        )
        return NamedCell(slot.cell, cell)

    def _failed(self, slot: Slot, error: Exception, seconds: float) -> NamedCell:
        cell = Cell(
            status="failed",
            reasons=(failure_of(error, slot.artifacts),),
            wall_seconds=round(seconds, 3),
            peak_memory_gib=peak_memory_gib(self.device),
            differs=dict(slot.differs),
        )
        return NamedCell(slot.cell, cell)


def skipped(reason: str) -> Cell:
    """A cell for an eval that no suitable model or data exists for."""
    return Cell(status="skipped", reasons=(Failure(kind="skipped", message=reason),))
