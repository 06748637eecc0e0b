"""Checks of the evals: their names, settings and data."""

from __future__ import annotations

from pydantic import ValidationError

from csae_bench.config.problems import eval_problems
from csae_bench.errors import CsaeBenchError, UsageError
from csae_bench.evals import EvalConfig, get_eval
from csae_bench.evals.inputs import Needs
from csae_bench.preflight.check import Findings
from csae_bench.runs.subjects import Subject

USUAL_CONTEXT = 128
"""Tokens in a prompt of an eval that fits itself to the model, for the estimate of memory."""


def evals(subject: Subject) -> Findings:
    """Yield the names, settings and data of the evals."""
    model = subject.config.model if subject.model is not None else None
    for name in subject.config.evals:
        try:
            needs = _eval_config(subject, name).needs(model)
        except CsaeBenchError as error:
            yield "problem", str(error)
            continue
        if model is None and needs.model:
            yield "ok", f"{name}: will be skipped, it needs a language model"
        elif needs.skip is not None:
            yield "ok", f"{name}: will be skipped: {needs.skip}"
        else:
            yield from _of_eval(subject, name, needs)
    if not subject.config.evals:
        yield "ok", "none"


def _of_eval(subject: Subject, name: str, needs: Needs) -> Findings:
    place = f"{subject.resolved.path}: evals.{name}"
    for problem in needs.problems:
        yield "problem", f"{place}: {problem}"
    context, model = needs.context_size, subject.model
    if model is not None and context is not None and context > model.n_ctx:
        yield (
            "problem",
            f"{place}.context_size is {context}; {model.name} takes at most {model.n_ctx} tokens.",
        )
    for data in needs.inputs:
        where = f"{place}.{data.key}" if data.key else place
        for outcome, message in data.status():
            said = f"{where}: {message}" if outcome == "problem" else f"{name}: {message}"
            yield outcome, said.rstrip(": ")
    if not needs.inputs and not needs.problems:
        yield "ok", name


def eval_settings(subject: Subject) -> dict[str, EvalConfig]:
    """Return the checked settings of each eval of the run, in order.

    Raises:
        CsaeBenchError: an eval or one of its settings is wrong.
    """
    return {name: _eval_config(subject, name) for name in subject.config.evals}


def largest_prompts(subject: Subject) -> tuple[int, int]:
    """Return prompts in a forward pass and tokens in a prompt of the eval that needs most."""
    model = subject.config.model if subject.model is not None else None
    shapes: list[tuple[int, int]] = []
    for name in subject.config.evals:
        try:
            needs = _eval_config(subject, name).needs(model)
        except CsaeBenchError:  # reported by the check of the evals
            continue
        shapes.append((needs.batch_size, needs.context_size or USUAL_CONTEXT))
    usual = (Needs().batch_size, USUAL_CONTEXT)
    return max(shapes, default=usual, key=lambda shape: shape[0] * shape[1])


def _eval_config(subject: Subject, name: str) -> EvalConfig:
    spec = get_eval(name)
    try:
        return spec.config.model_validate(subject.config.evals[name])
    except ValidationError as error:
        raise UsageError(
            "\n".join(eval_problems(error, spec.config, name, subject.resolved.path))
        ) from error
