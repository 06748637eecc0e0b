"""The metrics of the RAVEL eval, SAE-Bench's and those that correct them.

Importing this imports neither torch nor sae_bench.
"""

from __future__ import annotations

from typing import Any

from csae_bench.evals.metric_rows import Direction, Metric

SCORES = ("disentanglement_score", "cause_score", "isolation_score")
"""SAE-Bench's three values, by its names."""

_HIGHER: dict[str, Any] = {"direction": Direction.HIGHER, "comparable_from": None}
_BESIDE: dict[str, Any] = {
    "direction": Direction.NONE,
    "comparable_from": None,
    "is_supporting": True,
}
_TEXTS = {
    "disentanglement_score": (
        "Disentanglement",
        "Mean of cause and isolation. An intervention that changes nothing scores .5: cause 0, "
        "isolation 1.",
    ),
    "cause_score": (
        "Cause",
        "Share of pairs in which the attribute changes to the source's when the latents of its "
        "mask are taken from there.",
    ),
    "isolation_score": (
        "Isolation",
        "Share of pairs in which another attribute stays what it was under the same mask.",
    ),
}
_CORRECTED = (
    " A pair is of the kind it was drawn as, also where both answers begin with the same token; "
    "all pairs count alike."
)

METRICS = {
    **{
        name: Metric(
            title=f"RAVEL {title.lower()}",
            description=text,
            category="ravel",
            is_sae_bench=True,
            gates=False,
            note="Of entities and prompts that the model answers right.",
            **_HIGHER,
        )
        for name, (title, text) in _TEXTS.items()
    },
    **{
        f"corrected.{name}": Metric(
            title=f"{title}, corrected",
            description=text + _CORRECTED,
            short=title.lower(),
            gist=text if name == SCORES[0] else "",
            category="corrected",
            gates=False,
            **_HIGHER,
        )
        for name, (title, text) in _TEXTS.items()
    },
    **{
        f"corrected.{name}_{end}": Metric(
            title=f"{title}, {end} end",
            description=f"The {end} end of the 95% percentile interval from resampling entities.",
            category="corrected",
            **_BESIDE,
        )
        for name, (title, _) in _TEXTS.items()
        for end in ("low", "high")
    },
    **{
        f"corrected.{name}": Metric(
            title=title, description=text, category="corrected", high=None, unit=unit, **_BESIDE
        )
        for name, title, text, unit in (
            ("n_entities", "Entities", "Entities of which some prompt is answered right.",
             "entities"),
            ("n_prompts", "Prompts", "Prompts that are answered right.", "prompts"),
            ("n_pairs", "Pairs", "Pairs that the scores are of.", "pairs"),
            ("n_pairs_dropped", "Pairs left out",
             "Pairs that did not fill a batch, which SAE-Bench leaves out.", "pairs"),
        )
    },
}  # fmt: skip
