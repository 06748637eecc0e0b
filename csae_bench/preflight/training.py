"""Checks of training: the steps, and settings that must fit each other."""

from __future__ import annotations

from collections.abc import Iterator

from csae_bench.config import (
    GeneratorActivations,
    JumpReluSae,
    RunConfig,
    StandardSae,
    TrainedSae,
)
from csae_bench.factors import factor_status
from csae_bench.preflight.check import Findings
from csae_bench.preflight.existing import existing
from csae_bench.runs.resolving import ResolvedSae


def steps(config: RunConfig) -> Findings:
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


def settings(resolved_sae: ResolvedSae) -> Findings:
    if resolved_sae.training_hash is None:
        yield from existing(resolved_sae)
        return
    sae = resolved_sae.config.sae
    problems: list[str] = []
    if isinstance(sae, TrainedSae):
        problems += _sizes(resolved_sae.config, sae)
        problems += _held_l0(resolved_sae.config, sae)
    d_in = _d_in(resolved_sae)
    if not isinstance(sae, TrainedSae) and d_in is not None:
        problems += sae.misfits(d_in)
    if sae.factor_dataset is not None:
        outcome, message = factor_status(sae.factor_dataset)
        if outcome == "problem":
            problems.append(f"sae.factors: {message.rstrip('.')}")
    for text in problems:
        yield "problem", f"{resolved_sae.resolved.path}: {text}."
    if not problems:
        yield (
            "ok",
            f"{sae.architecture}, "
            + ", ".join(
                f"{name}={getattr(sae, name)}"
                for name in ("d_sae", "k", "n_components", "l1_coefficient", "l0_coefficient")
                if hasattr(sae, name)
            ),
        )


def _sizes(config: RunConfig, sae: TrainedSae) -> Iterator[str]:
    training = config.training
    for name in ("k", "target_l0"):
        value = getattr(sae, name, None)
        if value is not None and value > sae.d_sae:
            yield f"sae.{name} is {value}; it must be at most d_sae={sae.d_sae}"
    n_pairs = training.batch_size // 2
    if config.activations.pairs_in_buffer < n_pairs:
        yield (
            f"activations.pairs_in_buffer is {config.activations.pairs_in_buffer}; it must be "
            f"at least the {n_pairs} pairs of a batch"
        )
    for name in ("l1_warm_up_steps", "l0_warm_up_steps"):
        steps = getattr(sae, name, 0)
        if steps > training.n_steps > 0:
            yield (
                f"sae.{name} is {steps}; it must be at most the {training.n_steps} steps of "
                "the training"
            )


def _held_l0(config: RunConfig, sae: TrainedSae) -> Iterator[str]:
    held = config.training.hold_l0
    if held is None:
        return
    if not isinstance(sae, StandardSae | JumpReluSae):
        yield (
            "training.hold_l0 is set, but sae.architecture has no sparsity penalty that it can "
            "change. Leave it out, or take standard, jumprelu, contrastive or contrastive_jumprelu"
        )
        return
    if held.target > sae.d_sae:
        yield f"training.hold_l0.target is {held.target}; it must be at most d_sae={sae.d_sae}"
    name = "l1_coefficient" if isinstance(sae, StandardSae) else "l0_coefficient"
    if getattr(sae, name) == 0:
        yield f"sae.{name} is 0; it must be above 0, since training.hold_l0 multiplies it"
    if isinstance(sae, JumpReluSae) and sae.jumprelu_sparsity_loss_mode == "quadratic":
        yield (
            "sae.jumprelu_sparsity_loss_mode is 'quadratic', which aims at sae.target_l0 by "
            "itself; with training.hold_l0 it must be 'step' or 'tanh'"
        )


def _d_in(resolved_sae: ResolvedSae) -> int | None:
    if resolved_sae.model is not None:
        return resolved_sae.model.d_model
    activations = resolved_sae.config.activations
    return activations.d_in if isinstance(activations, GeneratorActivations) else None
