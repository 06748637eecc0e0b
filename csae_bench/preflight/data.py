"""Checks of the sources of activations: the language model and its text."""

from __future__ import annotations

from pathlib import Path

from csae_bench.config import GeneratorActivations, ModelActivations
from csae_bench.corpora import corpus_status
from csae_bench.preflight.check import Findings
from csae_bench.results.identity import hook_layer
from csae_bench.results.store import Store
from csae_bench.runs.made_from import why_made_again
from csae_bench.runs.subjects import Subject

HOOKS_OF_WIDTH_D_MODEL = (
    "hook_resid_pre",
    "hook_resid_mid",
    "hook_resid_post",
    "hook_attn_out",
    "hook_mlp_out",
)


def model(subject: Subject) -> Findings:
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
            "; on the hub: whether its weights can be fetched cannot be checked here"
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
    elif not subject.hook_name.endswith(HOOKS_OF_WIDTH_D_MODEL):
        yield (
            "problem",
            f"{subject.resolved.path}: hook_name is '{subject.hook_name}'; it must end in one of "
            f"{', '.join(HOOKS_OF_WIDTH_D_MODEL)}.",
        )
    d_in = subject.trained_d_in
    if d_in is not None and d_in != model.d_model:
        yield (
            "problem",
            f"{subject.checkpoint}: d_in is {d_in}; {model.name} has d_model={model.d_model}. "
            "Name the model that the SAE was trained on with --model.",
        )


def data(subject: Subject) -> Findings:
    activations = subject.config.activations
    if isinstance(activations, GeneratorActivations):
        yield "ok", f"generated: {activations.n_features} features in d_in={activations.d_in}"
        return
    yield corpus_status(activations.dataset)


def weights(subject: Subject, results: Path) -> Findings:
    """Yield whether the SAE exists or has to be made, and if it has to be made again, why."""
    if subject.training_hash is None:
        yield "ok", f"there: {subject.checkpoint}"
    elif subject.is_ready:
        yield "ok", f"there, nothing is trained: {subject.checkpoint}"
    else:
        yield "ok", why_made_again(subject, Store(results)) or "to be made, there are none yet"
