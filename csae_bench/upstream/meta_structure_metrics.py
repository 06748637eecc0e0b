"""The metrics of SAE-Bench's meta-structure eval, and of the values that correct them.

Importing this imports neither torch nor sae_bench.
"""

from __future__ import annotations

from typing import Any

from csae_bench.evals.metric_rows import Direction, Metric

_SAE_BENCH: dict[str, Any] = {
    "category": "meta_structure",
    "is_sae_bench": True,
    "gates": False,
    "low": None,
    "comparable_from": None,
}
_CORRECTED: dict[str, Any] = {"category": "corrected", "gates": False, "low": None}
_INFORMS = "Informs and does not gate: random directions have the best value."

METRICS = {
    "decoder_fraction_variance_explained": Metric(
        title="Decoder variance explained by a meta-SAE",
        description="Share of the variance of the decoder's rows that an SAE with a quarter of "
        "the latents, trained on these rows, reconstructs with 4 latents a row.",
        schema_title="Decoder Fraction Variance Explained",
        direction=Direction.LOWER,
        short="SAE-Bench's",
        note=_INFORMS,
        **_SAE_BENCH,
    ),
    "corrected.decoder_fraction_variance_explained": Metric(
        title="Decoder variance explained, corrected",
        description="The same of the rows' directions: rows are scaled to norm 1, and zero rows "
        "are left out; null where nothing varies.",
        direction=Direction.LOWER,
        gist="how much of the decoder's directions a smaller SAE reconstructs",
        short="explained",
        parts=(("corrected.random_directions", "of random directions"),),
        note=_INFORMS,
        **_CORRECTED,
    ),
    "corrected.above_random": Metric(
        title="Decoder variance explained, above random directions",
        description="The corrected value less that of as many random directions: 0 for a decoder "
        "without structure, trained or not.",
        direction=Direction.LOWER,
        short="above random",
        note=_INFORMS,
        **_CORRECTED,
    ),
    "corrected.random_directions": Metric(
        title="Random directions' variance explained",
        description="The corrected value of as many random directions, mean over draws; it grows "
        "with the share of directions that the meta-SAE can memorise.",
        direction=Direction.NONE,
        short="random",
        is_supporting=True,
        **_CORRECTED,
    ),
    "final_reconstruction_mse": Metric(
        title="Meta-SAE's mean squared error",
        description="Mean squared error of a weight of the decoder after the meta-SAE's training; "
        "grows with the square of the rows' norms.",
        schema_title="Final Reconstruction MSE",
        direction=Direction.NONE,
        high=None,
        is_supporting=True,
        **_SAE_BENCH,
    ),
    "train_time_seconds": Metric(
        title="Meta-SAE's training time",
        description="Wall time of the meta-SAE's training.",
        schema_title="Training Time (s)",
        direction=Direction.NONE,
        high=None,
        unit="seconds",
        is_supporting=True,
        **_SAE_BENCH,
    ),
}
