"""Builds a plan from requests: what is made, what is evaluated, and what would fail.

A plan is data. It downloads nothing, loads nothing, and reads weights only to hash them. Problems
are part of it: `doctor` prints them, `run` refuses on them. An SAE of the hub that was not fetched
has no jobs until a worker has fetched it and planned again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from csae_bench import models
from csae_bench.config import ResolvedConfig
from csae_bench.config.loading import is_config, load_config, partial_config
from csae_bench.errors import ConfigError, CsaeBenchError, SaeError
from csae_bench.evals import EvalConfig, get_eval
from csae_bench.evals.pages import PAGES
from csae_bench.hardware.gpus import GpuEstimate
from csae_bench.preflight import Check, eval_settings, preflight
from csae_bench.preflight.machine import estimates
from csae_bench.preflight.plan import StagePlan, stage_plans
from csae_bench.runs.job import EvalJob, InputRef, ModelRef, SaeRef, SkippedEval
from csae_bench.runs.request import RunRequest
from csae_bench.runs.resolving import ResolvedSae, fetched_folder, is_pretrained, resolve_sae
from csae_bench.saes.hashing import weights_hash
from csae_bench.upstream import versions

NO_MODEL = "the SAE was trained on generated activations: there is no model"


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """An SAE that is made unless it is there."""

    key: str
    """Hash of everything that determines the weights."""
    made_from: Mapping[str, Any]
    """The data of which it is the hash."""
    checkpoint: Path
    is_done: bool


@dataclass(frozen=True, kw_only=True)
class SaePlan:
    """Plan of one request."""

    request: RunRequest
    resolved_sae: ResolvedSae | None
    """None if it cannot be known: it is on the hub, or what names it is wrong."""
    checks: tuple[Check, ...]
    training: TrainJob | None = None
    """None for an SAE loaded from a folder."""
    evals: tuple[EvalJob | SkippedEval, ...] = ()
    """In the order of the run; none if there are problems."""
    stages: tuple[StagePlan, ...] = ()
    """Terms and pairs in use, by step of training; empty if there is neither a curriculum nor a
    contrastive term."""
    gpus: tuple[GpuEstimate, ...] = ()
    """Common GPUs, for a configuration made for CUDA."""

    @property
    def device(self) -> str:
        """Device of the run: as `--device` or the configuration says."""
        return (
            self.resolved_sae.config.device if self.resolved_sae else self.request.device or "auto"
        )

    @property
    def problems(self) -> list[str]:
        """Problems that would make it fail, one sentence each."""
        return [check.message for check in self.checks if check.outcome == "problem"]

    @property
    def has_problems(self) -> bool:
        """Whether the run would be refused."""
        return bool(self.problems)

    @property
    def has_problem_of_the_sae(self) -> bool:
        """Whether a problem is about the SAE itself, and not about evals, machine or folders."""
        return any(c.outcome == "problem" and c.is_about_the_sae for c in self.checks)


@dataclass(frozen=True)
class Plan:
    """All that a call asks for."""

    saes: tuple[SaePlan, ...] = field(default=())

    @property
    def problems(self) -> list[str]:
        """Problems that would make it fail, each sentence once."""
        return list(dict.fromkeys(problem for sae in self.saes for problem in sae.problems))


def plan(requests: Iterable[RunRequest]) -> Plan:
    """Return the plan of the requests, in their order.

    Raises:
        UsageError: a source, a model or a hook is none.
    """
    return Plan(tuple(plan_sae(request) for request in requests))


def plan_sae(request: RunRequest) -> SaePlan:
    """Return the plan of one request.

    What is wrong in the configuration comes first, then what the checks find in the rest.

    Raises:
        UsageError: the source, the model or the hook is none.
    """
    if is_pretrained(request.source) and fetched_folder(request) is None:
        return SaePlan(request=request, resolved_sae=None, checks=(_listed(request.source),))
    try:
        resolved, wrong = _resolved(request)
        resolved_sae = _resolved_unless_wrong(request, resolved, wrong)
    except (ConfigError, SaeError) as error:
        name = "sae" if isinstance(error, SaeError) else "config"
        checks = tuple(Check(name, "problem", line) for line in str(error).splitlines())
        return SaePlan(request=request, resolved_sae=None, checks=checks)
    of_config = [Check("config", "problem", problem) for problem in wrong]
    if resolved_sae is None:
        return SaePlan(request=request, resolved_sae=None, checks=tuple(of_config))
    checks = preflight(
        resolved_sae, results=request.results, device=request.device, preset=request.preset
    )
    if wrong:  # of a configuration that is not what was asked for, only problems say something
        problems = (*of_config, *(check for check in checks if check.outcome == "problem"))
        is_named = not request.sets  # the id holds what --set changed
        return SaePlan(
            request=request, resolved_sae=resolved_sae if is_named else None, checks=problems
        )
    is_sound = not any(check.outcome == "problem" for check in checks)
    return SaePlan(
        request=request,
        resolved_sae=resolved_sae,
        checks=tuple(checks),
        training=_training(resolved_sae),
        evals=_evals(resolved_sae, request.eval_seeds) if is_sound else (),
        stages=tuple(stage_plans(resolved_sae.config)),
        gpus=tuple(estimates(resolved_sae)),
    )


def _resolved(request: RunRequest) -> tuple[ResolvedConfig | None, list[str]]:
    """Return the configuration, offending values at their defaults, and what is wrong with it."""
    if not is_config(request.source):
        return None, []
    try:
        return load_config(request.source, **request.flags), []
    except ConfigError as error:
        return partial_config(request.source, **request.flags), error.problems


def _resolved_unless_wrong(
    request: RunRequest, resolved: ResolvedConfig | None, wrong: list[str]
) -> ResolvedSae | None:
    if not wrong:
        return resolve_sae(request, resolved)
    try:
        return None if resolved is None else resolve_sae(request, resolved)
    except CsaeBenchError:  # what is wrong already keeps the SAE from being known
        return None


def _listed(source: str) -> Check:
    from csae_bench.saes.pretrained import check_listed

    try:
        check_listed(*source.split(":", 1))
    except SaeError as error:
        return Check("sae", "problem", str(error))
    return Check("sae", "unknown", f"{source} is on the hub: not checkable here")


def _training(resolved_sae: ResolvedSae) -> TrainJob | None:
    if resolved_sae.training_hash is None:
        return None
    return TrainJob(
        key=resolved_sae.training_hash,
        made_from=dict(resolved_sae.made_from or {}),
        checkpoint=resolved_sae.checkpoint,
        is_done=resolved_sae.is_ready,
    )


def _evals(resolved_sae: ResolvedSae, eval_seeds: int) -> tuple[EvalJob | SkippedEval, ...]:
    sae, model = sae_ref(resolved_sae), _model_of_evals(resolved_sae)

    def n_seeds(name: str, settings: EvalConfig) -> int:
        is_repeated = get_eval(name).is_random and settings.is_repeatable(model)
        return eval_seeds if is_repeated else 1

    return tuple(
        _eval(resolved_sae, sae, name, settings, eval_seed)
        for name, settings in eval_settings(resolved_sae).items()
        for eval_seed in range(n_seeds(name, settings))
    )


def _model_of_evals(resolved_sae: ResolvedSae) -> str | None:
    return resolved_sae.config.model if resolved_sae.model is not None else None


def sae_ref(resolved_sae: ResolvedSae) -> SaeRef:
    """Return the reference of an SAE, with its hash where the weights are there."""
    return SaeRef(
        release=resolved_sae.release,
        sae_id=resolved_sae.sae_id,
        location=str(resolved_sae.checkpoint),
        weights_hash=weights_hash(resolved_sae.checkpoint) if resolved_sae.is_ready else None,
        training_hash=resolved_sae.training_hash,
        model_name=resolved_sae.model.name if resolved_sae.model else None,
        hook_name=resolved_sae.hook_name,
    )


def _eval(
    resolved_sae: ResolvedSae, sae: SaeRef, name: str, settings: EvalConfig, eval_seed: int
) -> EvalJob | SkippedEval:
    config = resolved_sae.config
    return eval_job(
        name,
        settings,
        sae=sae,
        model=_model_of_evals(resolved_sae),
        model_dtype=config.model_dtype,
        seed=config.seed,
        eval_seed=eval_seed,
        config=config.model_dump(mode="json"),
    )


def eval_job(
    name: str,
    settings: EvalConfig,
    *,
    sae: SaeRef,
    model: str | ModelRef | None,
    model_dtype: str,
    seed: int,
    eval_seed: int = 0,
    config: Mapping[str, Any],
) -> EvalJob | SkippedEval:
    """Return the job of one eval, or why there is none.

    Args:
        model: the run's, by name or, where it is in memory, by reference; None: there is none.
        eval_seed: repetition of the eval.
        config: the run's, for the record.
    """
    settings = settings.with_eval_seed(eval_seed)
    model_name = model.name if isinstance(model, ModelRef) else model
    needs = settings.needs(model_name)
    if model is None and needs.model:
        return SkippedEval(eval_name=name, reason=NO_MODEL)
    if needs.skip is not None:
        return SkippedEval(eval_name=name, reason=needs.skip)
    asked = settings.model or model
    if isinstance(asked, str):
        asked = ModelRef(
            name=asked,
            true_name=models.describe(asked).name,
            dtype=model_dtype,
            fingerprint=models.weights_fingerprint(asked),
        )
    return EvalJob(
        eval_name=name,
        settings=settings.model_dump(mode="json"),
        sae=sae,
        model=asked,
        model_dtype=model_dtype,
        inputs=tuple(
            InputRef(kind=one.kind, name=one.name, fingerprint=one.fingerprint())
            for one in needs.inputs
        ),
        seed=seed,
        eval_seed=eval_seed,
        versions={**versions(), **PAGES.versions(name)},
        config=config,
    )
