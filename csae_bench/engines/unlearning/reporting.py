"""Conversion of a sweep and its statistics to the fields of a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from csae_bench.engines.unlearning.data import Scale, UnlearningData
from csae_bench.engines.unlearning.statistics import (
    RETAIN_ACCURACY,
    Chance,
    HeldOut,
    unlearning_score,
)
from csae_bench.engines.unlearning.sweep import Sweep
from csae_bench.metrics.bootstrap import PercentileInterval

Metrics = dict[str, dict[str, float | int | None]]

FEW_QUESTIONS = 20
"""Number of a subject's questions below which a result warns."""


def metrics(
    score: float, held_out: HeldOut, interval: PercentileInterval, chance: Chance
) -> tuple[Metrics, dict[str, str]]:
    """Return the metrics by category, and the reason of each that is null."""
    by_category: Metrics = {
        "unlearning": {"unlearning_score": score},
        "held_out": {
            "unlearning_score_held_out": held_out.score,
            "retain_accuracy_held_out": held_out.retain_accuracy,
        },
        "intervals": {
            "unlearning_score_low": interval.low,
            "unlearning_score_high": interval.high,
        },
        "chance": {
            "unlearning_score_null_mean": chance.mean,
            "unlearning_score_null_highest": chance.highest,
            "unlearning_score_adjusted": chance.adjusted,
            "unlearning_score_p": chance.p,
        },
    }
    why = {
        "held_out": held_out.reason,
        "intervals": interval.reason,
        "chance": chance.reason,
    }
    reasons = {
        name: str(why[category])
        for category, values in by_category.items()
        for name, value in values.items()
        if value is None
    }
    return by_category, reasons


def details(sweep: Sweep) -> list[dict[str, Any]]:
    """Return an entry for each setting."""
    forget, retain = sweep.forget.mean(1), sweep.retain.mean(1)
    return [
        {
            "retain_threshold": setting.retain_threshold,
            "n_features": setting.n_features,
            "multiplier": setting.multiplier,
            "latents": list(setting.latents),
            "forget_accuracy": float(forget[i]),
            "retain_accuracy": float(retain[i]),
            "is_admissible": bool(retain[i] >= RETAIN_ACCURACY),
            "accuracy": {name: float(rights[i].mean()) for name, rights in sweep.rights.items()},
            "wrong": {
                name: sweep.questions[name][~rights[i]].tolist()
                for name, rights in sweep.rights.items()
            },
        }
        for i, setting in enumerate(sweep.settings)
    ]


def data(read: UnlearningData, sweep: Sweep, scale: Scale) -> dict[str, Any]:
    """Describe the questions and texts that were used."""
    return {
        "name": read.name,
        "description": read.description,
        "n_questions": {name: len(rows) for name, rows in read.questions.items()},
        "n_always_right": {name: len(ids) for name, ids in sweep.questions.items()},
        "n_forget_texts": len(read.forget_texts),
        "n_retain_texts": len(read.retain_texts),
        "dataset_size": scale.dataset_size,
        "seq_len": scale.seq_len,
        "questions_digest": read.questions_digest,
        "texts_digest": read.texts_digest,
    }


def control(controls: Sequence[Sweep], n_alive: int) -> dict[str, Any]:
    """Return the scores of random latents, draw by draw."""
    return {
        "n_draws": len(controls),
        "n_alive": n_alive,
        "scores": [unlearning_score(drawn.forget, drawn.retain) for drawn in controls],
        "forget_accuracy": [drawn.forget.mean(1).tolist() for drawn in controls],
        "retain_accuracy": [drawn.retain.mean(1).tolist() for drawn in controls],
    }


def notes(sweep: Sweep) -> list[str]:
    """List notes that a reader of this score should know."""
    most = max(setting.n_features for setting in sweep.settings)
    if most == 0:
        return ["No latent was clamped: none fires on the forget text and rarely on the retain."]
    if (sweep.retain.mean(1) < RETAIN_ACCURACY).all():
        best = float(sweep.retain.mean(1).max())
        return [
            "No setting keeps 99% of the retain questions right, so the score is 0 by its rule; "
            f"the gentlest keeps {best:.1%}."
        ]
    return []


def warnings(sweep: Sweep) -> list[str]:
    """List the subjects with too few questions."""
    few = [
        f"{name} {len(ids)}" for name, ids in sweep.questions.items() if len(ids) < FEW_QUESTIONS
    ]
    if not few:
        return []
    return [
        f"Few questions are answered right in all 24 orders ({', '.join(few)}): what the sweep "
        "says of these subjects is coarse."
    ]
