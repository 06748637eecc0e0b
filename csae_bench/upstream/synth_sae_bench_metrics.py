"""The metrics of SynthSAEBench's table, as SAELens computes them.

Importing this imports neither torch nor sae_lens.
"""

from __future__ import annotations

from typing import Any

from csae_bench.evals.metric_rows import CATEGORIES, SCORES, Category, Direction, Form, Metric

_HIGHER: dict[str, Any] = {"direction": Direction.HIGHER}
_BESIDE: dict[str, Any] = {"direction": Direction.NONE, "is_supporting": True}
_RANDOM: dict[str, Any] = {**_BESIDE, "category": "chance"}

METRICS = {
    "mcc": Metric(
        title="Mean correlation coefficient",
        description="Latents and true features are matched one to one so that the cosines of their "
        "directions, without sign, are largest; mean over the matches, of which there are as many "
        "as the fewer of both. arXiv:2505.20254; SynthSAEBench, arXiv:2602.14687.",
        gist="how near the latents' directions are to the true features'",
        short="MCC",
        parts=(("mcc_null_mean", "with random directions"),),
        **_HIGHER,
    ),
    "f1_score": Metric(
        title="F1 of latents as detectors",
        description="Harmonic mean of precision and recall of a latent's firing for the true "
        "feature whose direction is nearest, 0 where neither is defined; mean over latents, dead "
        "ones included.",
        gist="how well a latent fires when its feature does, and only then",
        short="F1",
        **_HIGHER,
    ),
    "uniqueness": Metric(
        title="Uniqueness",
        description="True features that are the nearest one of some latent, as a share of the "
        "latents: below 1 several latents follow one feature.",
        gist="share of the latents that have a feature of their own",
        parts=(("uniqueness_null_mean", "with random directions"),),
        note="At most the number of true features over that of latents.",
        **_HIGHER,
    ),
    "explained_variance": Metric(
        title="Explained variance of synthetic activations",
        description="1 minus the residual's variance over that of the activations.",
        low=None,
        **_HIGHER,
    ),
    "shrinkage": Metric(
        title="Shrinkage",
        description="Mean ratio of a reconstruction's norm to its activation's: 1 is none.",
        direction=Direction.TARGET,
        target=1.0,
        high=None,
        gates=False,
    ),
    "precision": Metric(
        title="Precision of latents as detectors",
        description="Share of a latent's firings at which its nearest feature fires, 0 for a dead "
        "latent; mean over latents.",
        gates=False,
        **_HIGHER,
    ),
    "recall": Metric(
        title="Recall of latents as detectors",
        description="Share of its nearest feature's firings at which a latent fires; mean over "
        "latents.",
        gates=False,
        **_HIGHER,
    ),
    "accuracy": Metric(
        title="Accuracy of latents as detectors",
        description="Share of samples on which a latent and its nearest feature both fire or both "
        "do not; mean over latents. High for any two that fire seldom.",
        **_BESIDE,
    ),
    "sae_l0": Metric(
        title="L0 of the SAE",
        description="Mean number of latents that fire on a sample.",
        high=None,
        unit="latents",
        **_BESIDE,
    ),
    "true_l0": Metric(
        title="L0 of the true features",
        description="Mean number of true features in a sample.",
        high=None,
        unit="features",
        **_BESIDE,
    ),
    "dead_latents": Metric(
        title="Dead latents",
        description="Number of latents that fire on no sample.",
        high=None,
        unit="latents",
        **_BESIDE,
    ),
    "mcc_null_mean": Metric(
        title="Mean correlation coefficient of random directions",
        description="The coefficient of as many random directions, mean over draws.",
        short="random MCC",
        **_RANDOM,
    ),
    "uniqueness_null_mean": Metric(
        title="Uniqueness of random directions",
        description="The uniqueness of as many random directions, mean over draws.",
        short="random uniqueness",
        **_RANDOM,
    ),
}

FORM = Form(
    categories={
        SCORES: CATEGORIES[SCORES],
        "chance": Category(
            title="Chance", description="The values of a decoder of random directions."
        ),
    }
)
