"""Checks of the sources of activations: the language model and its text."""

from __future__ import annotations

from pathlib import Path

from csae_bench.config import GeneratorActivations, ModelActivations
from csae_bench.corpora import corpus_status
from csae_bench.preflight.check import Findings
from csae_bench.results.identity import hook_layer
from csae_bench.results.store import Store
from csae_bench.runs.made_from import why_made_again
from csae_bench.runs.resolving import ResolvedSae

HOOKS_OF_WIDTH_D_MODEL = (
    "hook_resid_pre",
    "hook_resid_mid",
    "hook_resid_post",
    "hook_attn_out",
    "hook_mlp_out",
)


def model(sae: ResolvedSae) -> Findings:
    config, model = sae.config, sae.model
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
            f"{sae.resolved.path}: activations.context_size is {activations.context_size}; "
            f"{model.name} takes at most {model.n_ctx} tokens.",
        )
    assert sae.hook_name is not None
    layer = hook_layer(sae.hook_name)
    if layer >= model.n_layers:
        yield (
            "problem",
            f"{sae.resolved.path}: hook_name is '{sae.hook_name}'; {model.name} has "
            f"layers 0 to {model.n_layers - 1}.",
        )
    elif not sae.hook_name.endswith(HOOKS_OF_WIDTH_D_MODEL):
        yield (
            "problem",
            f"{sae.resolved.path}: hook_name is '{sae.hook_name}'; it must end in one of "
            f"{', '.join(HOOKS_OF_WIDTH_D_MODEL)}.",
        )
    elif sae.hook_name.endswith("hook_resid_mid") and not model.has_resid_mid:
        yield (
            "problem",
            f"{sae.resolved.path}: hook_name is '{sae.hook_name}'; {model.name} has no such hook, "
            "since attention and MLP of a layer run side by side. Use hook_resid_post.",
        )
    d_in = sae.trained_d_in
    if d_in is not None and d_in != model.d_model:
        yield (
            "problem",
            f"{sae.checkpoint}: d_in is {d_in}; {model.name} has d_model={model.d_model}. "
            "Name the model that the SAE was trained on with --model.",
        )


def data(sae: ResolvedSae) -> Findings:
    activations = sae.config.activations
    if isinstance(activations, GeneratorActivations):
        yield "ok", f"generated: {activations.n_features} features in d_in={activations.d_in}"
        return
    yield corpus_status(activations.dataset)


def weights(sae: ResolvedSae, results: Path) -> Findings:
    """Yield whether the SAE exists or has to be made, and if it has to be made again, why."""
    if sae.training_hash is None:
        yield "ok", f"there: {sae.checkpoint}"
    elif sae.is_ready:
        yield "ok", f"there, nothing is trained: {sae.checkpoint}"
    else:
        yield "ok", why_made_again(sae, Store(results)) or "to be made, there are none yet"
