"""Checks of the evals: their names, settings and data."""

from __future__ import annotations

from pydantic import ValidationError

from csae_bench import models
from csae_bench.config.problems import eval_problems
from csae_bench.errors import CsaeBenchError, UsageError
from csae_bench.evals import EvalConfig, get_eval
from csae_bench.evals.inputs import Needs
from csae_bench.hardware.memory import EvalShape, weights_bytes
from csae_bench.preflight.check import Findings
from csae_bench.runs.resolving import ResolvedSae

USUAL_CONTEXT = 128
"""Tokens in a prompt of an eval that fits itself to the model, for the estimate of memory."""


def evals(sae: ResolvedSae) -> Findings:
    """Yield the names, settings and data of the evals."""
    model = sae.config.model if sae.model is not None else None
    for name in sae.config.evals:
        try:
            needs = _eval_config(sae, name).needs(model)
        except CsaeBenchError as error:
            yield "problem", str(error)
            continue
        if model is None and needs.model:
            yield "ok", f"{name}: will be skipped, it needs a language model"
        elif needs.skip is not None:
            yield "ok", f"{name}: will be skipped: {needs.skip}"
        else:
            yield from _of_eval(sae, name, needs)
    if not sae.config.evals:
        yield "ok", "none"


def _of_eval(sae: ResolvedSae, name: str, needs: Needs) -> Findings:
    place = f"{sae.resolved.path}: evals.{name}"
    for problem in needs.problems:
        yield "problem", f"{place}: {problem}"
    context, model = needs.context_size, sae.model
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


def eval_settings(sae: ResolvedSae) -> dict[str, EvalConfig]:
    """Return the checked settings of each eval of the run, in order.

    Raises:
        CsaeBenchError: an eval or one of its settings is wrong.
    """
    return {name: _eval_config(sae, name) for name in sae.config.evals}


def eval_shapes(sae: ResolvedSae) -> list[EvalShape]:
    """Return the sizes of the forward passes of each eval, of which there is at least one."""
    model = sae.config.model if sae.model is not None else None
    held: dict[str, float] = {}
    shapes: list[EvalShape] = []
    for name in sae.config.evals:
        try:
            settings = _eval_config(sae, name)
            needs = settings.needs(model)
            held |= _own_model(sae, settings)
        except CsaeBenchError:  # reported by the check of the evals
            continue
        context = needs.prompt_tokens or needs.context_size or USUAL_CONTEXT
        # a model that was loaded for one eval stays for the next ones
        shape = EvalShape(needs.batch_size, context, needs.n_logits, sum(held.values()))
        shapes.append(shape)
    return shapes or [EvalShape(Needs().batch_size, USUAL_CONTEXT)]


def _own_model(sae: ResolvedSae, settings: EvalConfig) -> dict[str, float]:
    """Return the bytes of an eval's own language model, where it is not the run's."""
    if settings.model is None or sae.model is None:
        return {}
    own = models.describe(settings.model)
    if (own.name, own.path) == (sae.model.name, sae.model.path):
        return {}
    return {str(own.path or own.name): weights_bytes(own, sae.config.model_dtype)}


def _eval_config(sae: ResolvedSae, name: str) -> EvalConfig:
    spec = get_eval(name)
    try:
        return spec.config.model_validate(sae.config.evals[name])
    except ValidationError as error:
        raise UsageError(
            "\n".join(eval_problems(error, spec.config, name, sae.resolved.path))
        ) from error
