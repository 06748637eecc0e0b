"""The metrics of the first-letter absorption eval, SAE-Bench's and those that correct them.

Importing this imports neither torch nor sae_bench.
"""

from __future__ import annotations

from typing import Any

from csae_bench.evals.metric_rows import Direction, Metric

MEANS = ("mean_absorption_fraction_score", "mean_full_absorption_score", "mean_num_split_features")
"""Means over letters, by SAE-Bench's names."""

_LOWER: dict[str, Any] = {"direction": Direction.LOWER, "gates": False, "comparable_from": None}
_NONE: dict[str, Any] = {"direction": Direction.NONE, "comparable_from": None}
_BESIDE: dict[str, Any] = {**_NONE, "is_supporting": True}
_RAW: dict[str, Any] = {"category": "mean", "is_sae_bench": True}
_RIGHT: dict[str, Any] = {"category": "corrected"}

_HIDES = (
    "An SAE without a latent for a letter scores well: read it together with "
    "corrected.mean_split_f1."
)
_NOTE = "Its values changed tenfold between versions of SAE-Bench. A dead SAE scores 0."
_FRACTION = (
    "Share of the probe's direction that other latents than the letter's own carry, mean over the "
    "words that the probe gets right, then over letters. "
)
_FULL = (
    "Share of the words that the probe gets right on which none of the letter's latents fires and "
    "one other latent carries its direction, mean over letters. "
)
_SPLIT = (
    "Number of latents that share a letter, by the gain in F1 of a further one, mean over letters."
)
_CORRECTED = (
    "The same, of codes without a sign and decoder rows of length 1: a negative code counts as a "
    "latent of the opposite direction, and codes are in units of the activations."
)


def _spread(name: str, title: str) -> dict[str, Metric]:
    return {
        name: Metric(
            title=title,
            description="Standard deviation of the letters' values.",
            is_displayed=False,
            high=None,
            **_RAW,
            **_BESIDE,
        )
    }


def _ends(name: str, title: str, high: float | None) -> dict[str, Metric]:
    return {
        f"corrected.{name}_{end}": Metric(
            title=f"{title}, {end} end",
            description=f"The {end} end of the 95% percentile interval from resampling letters.",
            high=high,
            **_RIGHT,
            **_BESIDE,
        )
        for end in ("low", "high")
    }


METRICS = {
    "mean_absorption_fraction_score": Metric(
        title="Absorption fraction",
        schema_title="Mean Absorption Fraction Score",
        description=_FRACTION + _HIDES,
        note=_NOTE,
        **_RAW,
        **_LOWER,
    ),
    "mean_full_absorption_score": Metric(
        title="Full absorption",
        schema_title="Mean Full Absorption Score",
        description=_FULL + _HIDES,
        note=_NOTE,
        **_RAW,
        **_LOWER,
    ),
    "mean_num_split_features": Metric(
        title="Split features",
        schema_title="Mean Number of Split Features",
        description=_SPLIT,
        high=None,
        unit="latents",
        gates=False,
        **_RAW,
        **_NONE,
    ),
    **_spread("std_dev_absorption_fraction_score", "Spread of absorption fraction"),
    **_spread("std_dev_full_absorption_score", "Spread of full absorption"),
    **_spread("std_dev_num_split_features", "Spread of split features"),
    "corrected.mean_absorption_fraction_score": Metric(
        title="Absorption fraction, corrected",
        description=_FRACTION + _CORRECTED,
        gist="how much of a word's first letter other latents than the letter's own carry",
        short="absorbed",
        parts=(("corrected.mean_split_f1", "F1 of the letters' own latents"),),
        note=_NOTE,
        **_RIGHT,
        **_LOWER,
    ),
    "corrected.mean_full_absorption_score": Metric(
        title="Full absorption, corrected",
        description=_FULL + _CORRECTED,
        short="fully absorbed",
        note=_NOTE,
        **_RIGHT,
        **_LOWER,
    ),
    "corrected.mean_num_split_features": Metric(
        title="Split features, corrected",
        description=_SPLIT,
        short="split features",
        high=None,
        unit="latents",
        gates=False,
        **_RIGHT,
        **_NONE,
    ),
    **_ends("mean_absorption_fraction_score", "Absorption fraction", 1.0),
    **_ends("mean_full_absorption_score", "Full absorption", 1.0),
    **_ends("mean_num_split_features", "Split features", None),
    "corrected.mean_split_f1": Metric(
        title="F1 of the letters' own latents",
        description="F1 on test words of the probe on the latents that count as a letter's own, "
        "mean over letters: near 0, the SAE has no latents for letters, and its absorption says "
        "nothing.",
        short="letters' F1",
        **_RIGHT,
        **_BESIDE,
    ),
    "corrected.mean_probe_f1": Metric(
        title="F1 of the model's probe",
        description="F1 on test words of the probe on the model's activations, mean over letters.",
        **_RIGHT,
        **_BESIDE,
    ),
    "corrected.n_letters": Metric(
        title="Letters",
        description="Number of letters whose probe on the model's activations has an F1 above "
        "min_GT_probe_f1; the others are left out.",
        high=26,
        unit="letters",
        **_RIGHT,
        **_BESIDE,
    ),
}
