"""Runs one eval: everything about it that is not its science."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from csae_bench import identity, models, progress
from csae_bench.errors import EvalError, ResultError
from csae_bench.evals import EvalConfig, EvalContext, EvalResult, EvalSpec, get_eval
from csae_bench.factors import factor_fingerprint
from csae_bench.failures import failure_of
from csae_bench.measuring import peak_memory_gib
from csae_bench.results.envelope import Provenance, eval_result, not_finite, value_at
from csae_bench.results.schema import Cell, Failure
from csae_bench.results.store import Store, read_json, write_json
from csae_bench.subjects import Subject
from csae_bench.upstream import sae_cfg_dict, versions

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformer_lens import HookedTransformer

    from csae_bench.factors.encoding import FactorCodes


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

    def run(self, name: str, settings: EvalConfig) -> Cell:
        """One eval, unless its result is there already; its failure is a cell, not an exception."""
        spec = get_eval(name)
        if self.subject.model is None and settings.needs_model(None):
            return skipped("the SAE was trained on generated activations: there is no model")
        reason = settings.skip_reason(self._model_name)
        if reason is not None:
            return skipped(reason)
        key = self.key(name, settings)
        path = self.store.eval_result(name, self.subject.release, self.subject.sae_id)
        if not self.force:
            done = self._finished(spec, path, key)
            if done is not None:
                return done
        progress.begin(f"evaluating {name}")
        started = time.perf_counter()
        try:
            result = self._evaluate(spec, settings, key, started)
            write_json(path, result)
        except Exception as error:
            return self._failed(name, error, time.perf_counter() - started)
        return self._cell(spec, path, key, result)

    def key(self, name: str, settings: EvalConfig) -> str:
        """Hash of weights, settings, model, data and versions."""
        model = settings.model or self._model_name
        factors = settings.factor_dataset(self._model_name)
        return identity.digest(
            {
                "eval": name,
                "settings": settings.model_dump(mode="json"),
                "weights": self.weights_hash,
                "model": models.weights_fingerprint(model) if model else None,
                "model_dtype": self.subject.config.model_dtype,
                "hook_name": self.subject.hook_name,
                "data": settings.data_fingerprint(self._model_name),
                "factors": factor_fingerprint(factors) if factors else None,
                "seed": self.subject.config.seed,
                "versions": versions(),
            }
        )

    @property
    def _model_name(self) -> str | None:
        """The run's language model; None for an SAE on generated activations."""
        return self.subject.config.model if self.subject.model is not None else None

    def _evaluate(
        self, spec: EvalSpec, settings: EvalConfig, key: str, started: float
    ) -> dict[str, Any]:
        import torch

        from csae_bench.saes.loading import training_architecture

        subject, config = self.subject, self.subject.config
        artifacts = self.store.artifacts(spec.name, subject.release, subject.sae_id)
        shutil.rmtree(artifacts, ignore_errors=True)
        sae = self.sae()
        model_name = settings.model or self._model_name
        seed = int(identity.digest({"seed": config.seed, "eval": spec.name})[:8], 16)
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - SAE-Bench draws from the global generator
        context = EvalContext(
            sae=sae,
            resolved=subject.resolved,
            release=subject.release,
            sae_id=subject.sae_id,
            model_name=model_name or "",
            hook_name=subject.hook_name or "",
            device=self.device,
            artifacts=artifacts,
            cache=self.store.cache(spec.name),
            rng=np.random.default_rng(seed),
            load_model=self.load_model,
            progress=self.progress,
            encoded=self.encoded,
        )
        # SAE-Bench prints; stdout is for results.
        with torch.no_grad(), contextlib.redirect_stdout(sys.stderr):
            measured = spec.run(context, settings)
        provenance = Provenance(
            key=key,
            weights_hash=self.weights_hash,
            training_hash=subject.training_hash,
            model=models.describe(model_name).name if model_name else None,
            hook_name=subject.hook_name,
            training_architecture=training_architecture(sae),
            seed=config.seed,
            device=self.device,
            config=config.model_dump(mode="json"),
            eval_settings=settings.model_dump(mode="json"),
            versions=versions(),
            wall_seconds=round(time.perf_counter() - started, 3),
            peak_memory_gib=peak_memory_gib(self.device),
        )
        result = eval_result(
            eval_name=spec.name,
            eval_config=measured.eval_config or settings.model_dump(mode="json"),
            metrics=measured.metrics,
            details=list(measured.details),
            unstructured=measured.unstructured,
            release=subject.release,
            sae_id=subject.sae_id,
            sae_cfg=sae_cfg_dict(sae),
            provenance=provenance,
        )
        self._check(spec, measured, result)
        return result

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

    def _finished(self, spec: EvalSpec, path: Path, key: str) -> Cell | None:
        try:
            result = read_json(path)
        except ResultError:
            return None
        if result is None or _provenance(result).get("key") != key:
            return None
        return self._cell(spec, path, key, result)

    def _cell(self, spec: EvalSpec, path: Path, key: str, result: dict[str, Any]) -> Cell:
        provenance = _provenance(result)
        return Cell(
            status="ok",
            warnings=tuple(result["eval_result_unstructured"].get("warnings", ())),
            result=self.store.relative(path),
            key=key,
            wall_seconds=provenance.get("wall_seconds"),
            peak_memory_gib=provenance.get("peak_memory_gib"),
            summary={title: value_at(result, place) for title, place in spec.headline.items()},
        )

    def _failed(self, name: str, error: Exception, seconds: float) -> Cell:
        artifacts = self.store.artifacts(name, self.subject.release, self.subject.sae_id)
        return Cell(
            status="failed",
            reasons=(failure_of(error, artifacts),),
            wall_seconds=round(seconds, 3),
            peak_memory_gib=peak_memory_gib(self.device),
        )


def skipped(reason: str) -> Cell:
    """A cell for an eval that no suitable model or data exists for."""
    return Cell(status="skipped", reasons=(Failure(kind="skipped", message=reason),))


def _provenance(result: dict[str, Any]) -> dict[str, Any]:
    unstructured = result.get("eval_result_unstructured")
    found = unstructured.get("provenance") if isinstance(unstructured, dict) else None
    return found if isinstance(found, dict) else {}
