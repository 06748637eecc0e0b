"""Checks of what is trained: the steps, and settings that must fit each other."""

from __future__ import annotations

from csae_bench.config import GeneratorActivations, PcaSae, RunConfig, TrainedSae
from csae_bench.preflight.check import Findings
from csae_bench.subjects import Subject


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


def settings(subject: Subject) -> Findings:
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


def _d_in(subject: Subject) -> int | None:
    if subject.model is not None:
        return subject.model.d_model
    activations = subject.config.activations
    return activations.d_in if isinstance(activations, GeneratorActivations) else None
