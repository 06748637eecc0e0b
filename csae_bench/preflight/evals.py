"""Checks of the evals: their names, settings and data."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from csae_bench.config.problems import eval_problems
from csae_bench.corpora import corpus_status
from csae_bench.errors import CsaeBenchError, UsageError
from csae_bench.evals import EvalConfig, get_eval
from csae_bench.factors import factor_status
from csae_bench.preflight.check import Findings
from csae_bench.subjects import Subject


def evals(subject: Subject) -> Findings:
    model = subject.config.model if subject.model is not None else None
    for name in subject.config.evals:
        try:
            settings = _eval_config(subject, name)
            spec = get_eval(name)
            factors = settings.factor_dataset(model)
        except CsaeBenchError as error:
            yield "problem", str(error)
            continue
        if model is None and settings.needs_model(None):
            yield "ok", f"{name}: will be skipped, it needs a language model"
            continue
        reason = settings.skip_reason(model)
        if reason is not None:
            yield "ok", f"{name}: will be skipped: {reason}"
            continue
        found = spec.preflight(subject.resolved, settings) if spec.preflight else []
        for text in found:
            yield "problem", f"{subject.resolved.path}: evals.{name}: {text}"
        own_data = settings.data_status(model)
        for outcome, message in own_data:
            where = f"{subject.resolved.path}: evals.{name}" if outcome == "problem" else name
            yield outcome, f"{where}: {message}"
        if own_data:
            continue
        dataset = getattr(settings, "dataset", None)
        outcome, message = corpus_status(dataset) if isinstance(dataset, str) else ("ok", "")
        if factors is not None:
            outcome, message = factor_status(factors)
            if outcome == "problem":
                message = f"{subject.resolved.path}: evals.{name}.factors: {message}"
        context = getattr(settings, "context_size", 0)
        if subject.model is not None and context > subject.model.n_ctx:
            outcome, message = (
                "problem",
                f"{subject.resolved.path}: evals.{name}.context_size is {context}; "
                f"{subject.model.name} takes at most {subject.model.n_ctx} tokens.",
            )
        if outcome != "ok" or not found:
            yield outcome, message if outcome == "problem" else f"{name}: {message}".rstrip(": ")
    if not subject.config.evals:
        yield "ok", "none"


def eval_settings(subject: Subject) -> dict[str, EvalConfig]:
    """The checked settings of each eval of the run, in order.

    Raises:
        CsaeBenchError: an eval or one of its settings is wrong.
    """
    return {name: _eval_config(subject, name) for name in subject.config.evals}


def sound_eval_settings(subject: Subject) -> list[Any]:
    sound: list[Any] = []
    for name in subject.config.evals:
        try:
            sound.append(_eval_config(subject, name))
        except CsaeBenchError:  # reported by the check of the evals
            continue
    return sound


def _eval_config(subject: Subject, name: str) -> EvalConfig:
    spec = get_eval(name)
    try:
        return spec.config.model_validate(subject.config.evals[name])
    except ValidationError as error:
        raise UsageError(
            "\n".join(eval_problems(error, spec.config, name, subject.resolved.path))
        ) from error
