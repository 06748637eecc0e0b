"""The data of the browsable page, as its scripts read it.

Values are named by their place among `ProbingPage.value_names`, token lists by their place in
`texts`, where each occurs once. An estimate is a number, `[number, low, high]`, or the reason.
"""

from __future__ import annotations

from typing import Any

from csae_bench.engines.probing.browser.content import (
    Effect,
    Latent,
    ProbeScores,
    ProbingPage,
    ShownNumber,
    Value,
    ValueName,
)
from csae_bench.pages import rounded

UNEXPLAINED = "not defined"


def encoded(page: ProbingPage) -> dict[str, Any]:
    """Encode all numbers of the page, at the digits that it shows. A few bytes for each."""
    places = {name: place for place, name in enumerate(page.value_names)}
    texts: dict[tuple[str, ...], int] = {}
    latents = [_latent(latent, places, texts) for latent in page.latents]
    return {
        "d_sae": page.d_sae,
        "factors": [
            {"name": factor.name, "description": factor.description} for factor in page.factors
        ],
        "values": [
            {"factor": place, **_value(value)}
            for place, factor in enumerate(page.factors)
            for value in factor.values
        ],
        "latents": latents,
        "texts": [list(tokens) for tokens in texts],
        "absorption": [
            {
                "parent": places[entry.parent],
                "parent_latent": entry.parent_latent,
                "child": places[entry.child],
                "child_latent": entry.child_latent,
                "rate": estimate(entry.rate),
            }
            for entry in page.absorption
        ],
        "no_absorption_reason": page.no_absorption_reason,
        "descriptions": {
            "selectivity": page.selectivity_description,
            "entropy": page.entropy_description,
            "specificity": page.specificity_description,
            "effect": page.effect_description,
        },
    }


def estimate(shown: ShownNumber) -> float | list[float | None] | str:
    """Encode a number, a number with its interval, or the reason why there is none."""
    if shown.value is None:
        return shown.reason or UNEXPLAINED
    value = rounded(shown.value)
    if shown.low is None and shown.high is None:
        return value
    return [value, *(None if end is None else rounded(end) for end in (shown.low, shown.high))]


def _value(value: Value) -> dict[str, Any]:
    return {
        "name": value.value,
        "n": value.n_prompts,
        "probes": [{"k": k, **_probe(scores)} for k, scores in value.probes.items()],
        "dense": None if value.dense is None else _probe(value.dense),
        "best": [
            {
                "latent": best.index,
                "information": estimate(best.information),
                "fires": rounded(best.firing_rate),
            }
            for best in value.best_latents
        ],
        "effects": [_effect(effect) for effect in value.effects],
        "no_effect_reason": value.no_effect_reason,
    }


def _probe(scores: ProbeScores) -> dict[str, Any]:
    return {
        "auroc": estimate(scores.auroc),
        "balanced_accuracy": estimate(scores.balanced_accuracy),
        "accuracy": estimate(scores.accuracy),
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "operation": effect.operation,
        "latent": effect.latent,
        "own": estimate(effect.own),
        "others": estimate(effect.others),
        "control": estimate(effect.control),
        "specificity": estimate(effect.specificity),
    }


def _latent(
    latent: Latent, places: dict[ValueName, int], texts: dict[tuple[str, ...], int]
) -> dict[str, Any]:
    return {
        "index": latent.index,
        "fires": rounded(latent.firing_rate),
        "max": rounded(latent.max_activation),
        "selectivity": estimate(latent.selectivity),
        "entropy": estimate(latent.entropy),
        "assigned": [places[name] for name in latent.assigned_values],
        "information": [
            None if cell is None else _short(round(cell, 3)) for cell in latent.information
        ],
        "prompts": [
            {
                "text": texts.setdefault(prompt.tokens, len(texts)),
                "pooled": rounded(prompt.pooled),
                "codes": [_short(rounded(code, 3)) for code in prompt.activations],
            }
            for prompt in latent.prompts
        ],
    }


def _short(value: float) -> float:
    """Convert a whole number to int: most codes are 0, and `0.0` would triple their bytes."""
    return int(value) if value.is_integer() else value
