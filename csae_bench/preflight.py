"""What would fail, found before it costs anything.

Each check looks at one thing and says ok, a problem, or that it cannot be checked here. Nothing is
loaded: sizes come from configs, fingerprints from files.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from csae_bench import memory
from csae_bench.config import (
    GeneratorActivations,
    ModelActivations,
    PcaSae,
    RunConfig,
    TrainedSae,
)
from csae_bench.corpora import corpus_status
from csae_bench.devices import pick_device
from csae_bench.errors import CsaeBenchError, UsageError
from csae_bench.evals import EvalConfig, get_eval
from csae_bench.identity import hook_layer
from csae_bench.subjects import Subject

Outcome = Literal["ok", "problem", "unknown"]


@dataclass(frozen=True)
class Check:
    """What one check found."""

    name: str
    outcome: Outcome
    """`unknown`: it cannot be checked on this machine."""
    message: str


_HOOKS_OF_WIDTH_D_MODEL = (
    "hook_resid_pre",
    "hook_resid_mid",
    "hook_resid_post",
    "hook_attn_out",
    "hook_mlp_out",
)

Findings = Iterator[tuple[Outcome, str]]


def preflight(subject: Subject, *, results: Path, device: str | None = None) -> list[Check]:
    """All checks of a subject, in the order in which the run would meet what they look at.

    Args:
        results: the folder that the run would write to.
        device: what `--device` asked for, if anything; a GPU that only the configuration names
            and this machine lacks is `unknown`, one that the flag asks for is a problem.
    """
    checks: list[tuple[str, Callable[[], Findings]]] = [
        ("steps", lambda: _steps(subject.config)),
        ("settings", lambda: _settings(subject)),
        ("model", lambda: _model(subject)),
        ("data", lambda: _data(subject)),
        ("evals", lambda: _evals(subject)),
        ("device", lambda: _device(subject, asked=device)),
        ("memory", lambda: _memory(subject)),
        ("results", lambda: _results(results)),
    ]
    if not subject.config.is_trained:
        checks = checks[1:]
    return [Check(name, *finding) for name, find in checks for finding in find()]


def problems(checks: list[Check]) -> list[str]:
    """The messages of the checks that found a problem."""
    return [check.message for check in checks if check.outcome == "problem"]


def eval_settings(subject: Subject) -> dict[str, EvalConfig]:
    """The checked settings of each eval of the run, in order.

    Raises:
        CsaeBenchError: an eval or one of its settings is wrong.
    """
    return {name: _eval_config(subject, name) for name in subject.config.evals}


def _steps(config: RunConfig) -> Findings:
    training = config.training
    arithmetic = (
        f"{training.n_tokens} tokens / batch {training.batch_size} = {training.n_steps} steps"
    )
    if training.n_steps == 0:
        yield "problem", f"training: {arithmetic}; need at least {training.batch_size} tokens."
        return
    rest = training.n_tokens - training.n_steps * training.batch_size
    yield "ok", arithmetic + (f", {rest} tokens left over" if rest else "")
    ramps = training.lr_warm_up_steps + training.lr_decay_steps
    if ramps > training.n_steps:
        yield (
            "problem",
            f"training: lr_warm_up_steps={training.lr_warm_up_steps} and lr_decay_steps="
            f"{training.lr_decay_steps} are more than the {training.n_steps} steps there are.",
        )


def _settings(subject: Subject) -> Findings:
    config, sae, training = subject.config, subject.config.sae, subject.config.training
    path = subject.resolved.path
    found: list[str] = []
    d_in = _d_in(subject)
    if isinstance(sae, TrainedSae):
        k = getattr(sae, "k", None)
        if k is not None and k > sae.d_sae:
            found.append(f"sae.k is {k}; it must be at most d_sae={sae.d_sae}")
        target_l0 = getattr(sae, "target_l0", None)
        if target_l0 is not None and target_l0 > sae.d_sae:
            found.append(f"sae.target_l0 is {target_l0}; it must be at most d_sae={sae.d_sae}")
        n_pairs = training.batch_size // 2
        if config.activations.pairs_in_buffer < n_pairs:
            found.append(
                f"activations.pairs_in_buffer is {config.activations.pairs_in_buffer}; it must be "
                f"at least the {n_pairs} pairs of a batch"
            )
        for name, term in getattr(sae, "losses", {}).items():
            if term.weight > 0 and term.warm_up_steps > training.n_steps:
                found.append(
                    f"sae.losses.{name}.warm_up_steps is {term.warm_up_steps}; it must be at most "
                    f"the {training.n_steps} steps of the training"
                )
        for name in ("l1_warm_up_steps", "l0_warm_up_steps"):
            steps = getattr(sae, name, 0)
            if steps > training.n_steps > 0:
                found.append(
                    f"sae.{name} is {steps}; it must be at most the {training.n_steps} steps of "
                    "the training"
                )
    if isinstance(sae, PcaSae) and d_in is not None and sae.n_components > d_in:
        found.append(f"sae.n_components is {sae.n_components}; it must be at most d_in={d_in}")
    pairs = config.pairs.same_sequence
    if pairs.max_distance is not None and pairs.max_distance < pairs.min_distance:
        found.append(
            f"pairs.same_sequence.max_distance is {pairs.max_distance}; it must be at least "
            f"min_distance={pairs.min_distance}"
        )
    if pairs.min_distance > config.activations.context_size - 2:
        found.append(
            f"pairs.same_sequence.min_distance is {pairs.min_distance}; it must be at most "
            f"context_size - 2 = {config.activations.context_size - 2}, or no sequence holds a pair"
        )
    for text in found:
        yield "problem", f"{path}: {text}."
    if not found:
        yield (
            "ok",
            f"{sae.architecture}, "
            + ", ".join(
                f"{name}={getattr(sae, name)}"
                for name in ("d_sae", "k", "n_components", "l1_coefficient", "l0_coefficient")
                if hasattr(sae, name)
            ),
        )


def _model(subject: Subject) -> Findings:
    config, model = subject.config, subject.model
    activations = config.activations
    if model is None:
        assert isinstance(activations, GeneratorActivations)
        yield "ok", f"none: generated activations of d_in={activations.d_in}"
        return
    yield (
        "ok" if model.kind != "hub" else "unknown",
        f"{model.name}, {model.n_layers} layers, d_model {model.d_model}, "
        f"{model.n_parameters / 1e6:,.4g} million parameters"
        + (
            "; on the hub: whether its weights can be had is not checkable here"
            if model.kind == "hub"
            else ""
        ),
    )
    assert isinstance(activations, ModelActivations)
    if activations.context_size > model.n_ctx:
        yield (
            "problem",
            f"{subject.resolved.path}: activations.context_size is {activations.context_size}; "
            f"{model.name} takes at most {model.n_ctx} tokens.",
        )
    assert subject.hook_name is not None
    layer = hook_layer(subject.hook_name)
    if layer >= model.n_layers:
        yield (
            "problem",
            f"{subject.resolved.path}: hook_name is '{subject.hook_name}'; {model.name} has "
            f"layers 0 to {model.n_layers - 1}.",
        )
    elif not subject.hook_name.endswith(_HOOKS_OF_WIDTH_D_MODEL):
        yield (
            "problem",
            f"{subject.resolved.path}: hook_name is '{subject.hook_name}'; it must end in one of "
            f"{', '.join(_HOOKS_OF_WIDTH_D_MODEL)}.",
        )
    d_in = subject.trained_d_in
    if d_in is not None and d_in != model.d_model:
        yield (
            "problem",
            f"{subject.checkpoint}: d_in is {d_in}; {model.name} has d_model={model.d_model}. "
            "Name the model that the SAE was trained on with --model.",
        )


def _data(subject: Subject) -> Findings:
    activations = subject.config.activations
    if isinstance(activations, GeneratorActivations):
        yield "ok", f"generated: {activations.n_features} features in d_in={activations.d_in}"
        return
    yield corpus_status(activations.dataset)


def _evals(subject: Subject) -> Findings:
    for name in subject.config.evals:
        try:
            settings = _eval_config(subject, name)
            spec = get_eval(name)
        except CsaeBenchError as error:
            yield "problem", str(error)
            continue
        if subject.model is None:
            yield "ok", f"{name}: will be skipped, it needs a language model"
            continue
        found = spec.preflight(subject.resolved, settings) if spec.preflight else []
        for text in found:
            yield "problem", f"{subject.resolved.path}: evals.{name}: {text}"
        dataset = getattr(settings, "dataset", None)
        outcome, message = corpus_status(dataset) if isinstance(dataset, str) else ("ok", "")
        context = getattr(settings, "context_size", 0)
        if context > subject.model.n_ctx:
            outcome, message = (
                "problem",
                f"{subject.resolved.path}: evals.{name}.context_size is {context}; "
                f"{subject.model.name} takes at most {subject.model.n_ctx} tokens.",
            )
        if outcome != "ok" or not found:
            yield outcome, message if outcome == "problem" else f"{name}: {message}".rstrip(": ")
    if not subject.config.evals:
        yield "ok", "none"


def _device(subject: Subject, *, asked: str | None) -> Findings:
    wanted = subject.config.device
    try:
        yield "ok", pick_device(wanted)
    except UsageError as error:
        if asked is not None:
            yield "problem", f"--device {asked}: {error}"
        else:
            yield "unknown", f"{error} Not checkable here."


def _memory(subject: Subject) -> Findings:
    settings = [
        (getattr(one, "batch_size_prompts", 16), getattr(one, "context_size", 128))
        for one in _sound_eval_settings(subject)
    ]
    batch, context = max(settings, default=(16, 128), key=lambda pair: pair[0] * pair[1])
    needed = memory.estimate(subject.config, subject.model, eval_batch=batch, eval_context=context)
    parts = needed.training if sum(needed.training.values()) == needed.peak else needed.evaluation
    detail = ", ".join(
        f"{name} {size / memory.GIB:.2g}"
        for name, size in parts.items()
        if size > 0.05 * memory.GIB
    )
    summary = f"about {needed.peak / memory.GIB:.1f} GiB needed ({detail})"
    try:
        device = pick_device(subject.config.device)
    except UsageError:
        yield "unknown", f"{summary}; {subject.config.device} is not here to compare with"
        return
    available = memory.available_bytes(device)
    if available is None:
        yield "unknown", f"{summary}; free memory of {device} is not known"
    elif needed.peak <= available:
        yield "ok", f"{summary}, {available / memory.GIB:.1f} GiB free"
    else:
        advice = _memory_advice(subject, needed, available, context)
        yield "problem", f"memory: {summary}, {available / memory.GIB:.1f} GiB free. {advice}"


def _memory_advice(
    subject: Subject, needed: memory.Estimate, available: float, context: int
) -> str:
    advice: list[str] = []
    if subject.model is not None and sum(needed.evaluation.values()) > available:
        batch = memory.largest_batch(
            subject.config, subject.model, available=available, eval_context=context
        )
        if batch == 0:
            advice.append("Not even one prompt fits: take a smaller model or SAE.")
        else:
            advice.append(f"Set evals.core.batch_size_prompts={batch}.")
    if sum(needed.training.values()) > available:
        advice.append(
            "Lower training.batch_size, activations.pairs_in_buffer or "
            "activations.batch_size_prompts."
        )
    return " ".join(advice)


def _results(results: Path) -> Findings:
    place = results.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        yield "problem", f"--results {results}: {place} cannot be written to."
        return
    free = shutil.disk_usage(place).free
    yield "ok", f"{results}, {free / memory.GIB:.0f} GiB free on the disk"


def _eval_config(subject: Subject, name: str) -> EvalConfig:
    spec = get_eval(name)
    try:
        return spec.config.model_validate(subject.config.evals[name])
    except ValidationError as error:
        from csae_bench.config.problems import eval_problems

        raise UsageError(
            "\n".join(eval_problems(error, spec.config, name, subject.resolved.path))
        ) from error


def _sound_eval_settings(subject: Subject) -> list[Any]:
    sound: list[Any] = []
    for name in subject.config.evals:
        try:
            sound.append(_eval_config(subject, name))
        except CsaeBenchError:  # reported by the check of the evals
            continue
    return sound


def _d_in(subject: Subject) -> int | None:
    if subject.model is not None:
        return subject.model.d_model
    activations = subject.config.activations
    return activations.d_in if isinstance(activations, GeneratorActivations) else None
