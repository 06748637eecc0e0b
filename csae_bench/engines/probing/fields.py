"""Fields of the probing eval's results: its metrics, and its details by factor."""

from __future__ import annotations

from typing import Any

from csae_bench.engines.factors.fields import FactorDetail, ResultModel
from csae_bench.evals.metric_rows import Direction, Metric

N_LATENTS = (1, 2, 5, 20)
"""k of the k-sparse probes: SAE-Bench's, and 20."""

_BY_FACTOR: dict[str, Any] = {"is_by_factor": True}
_WITH_NULL: dict[str, Any] = {"has_null": True, **_BY_FACTOR}
_WITH_INTERVAL: dict[str, Any] = {"has_interval": True, **_BY_FACTOR}
_WITH_BOTH: dict[str, Any] = {"has_null": True, "has_interval": True, **_BY_FACTOR}

_MEASURES = {
    "accuracy": ("accuracy", "Share of held-out samples judged right, as they are"),
    "balanced_accuracy": (
        "balanced accuracy",
        "Mean of the shares judged right of held-out samples with and without a value; chance is "
        ".5. SAE-Bench's accuracy, on classes of equal size, estimates this",
    ),
    "auroc": ("AUROC", "Area under the ROC curve on held-out templates; chance is .5"),
}
_MEAN = "; mean over a factor's values, then over factors."
_FIRST = ("balanced_accuracy", "accuracy", "auroc")
"""Measures, the most informative first."""
_DENSE = "Describes the language model: what a probe on its activations reaches."
_SHORT = {
    "top_1_balanced_accuracy": "1 latent",
    "dense_balanced_accuracy": "dense",
    "clamp_effect": "clamp",
    "random_clamp_effect": "clamp at random",
}
_GISTS = {
    "top_1_balanced_accuracy": "a value predicted from one latent; chance is 0.5",
    "clamp_effect": "log-odds gained by a value's word when its best latent is clamped",
}
_PARTS = {
    "top_1_balanced_accuracy": (("dense_balanced_accuracy", "from all activations"),),
    "clamp_effect": (("random_clamp_effect", "random latents clamped"),),
}


def _probes(n_latents: tuple[int, ...]) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for k in (*n_latents, None):
        name = "dense" if k is None else f"top_{k}"
        title = "Dense probe" if k is None else f"Probe on {k} latent{'s' * (k > 1)}"
        on = (
            "on the model's activations, the ceiling"
            if k is None
            else f"on the {k} latents whose means differ most, after SAE-Bench's sparse probing"
        )
        for measure, (short, text) in _MEASURES.items():
            # by measure, few latents before many, and the model's own probes last of them
            place = _FIRST.index(measure) - len(_FIRST)
            metrics[f"{name}_{measure}"] = Metric(
                title=f"{title}, {short}",
                description=f"{text}, of logistic regression {on}{_MEAN}",
                direction=Direction.NONE if k is None else Direction.HIGHER,
                short=_SHORT.get(f"{name}_{measure}", ""),
                gist=_GISTS.get(f"{name}_{measure}", ""),
                parts=_PARTS.get(f"{name}_{measure}", ()),
                gates=(k, measure) == (1, "balanced_accuracy"),
                has_poolings=(k, measure) == (1, "balanced_accuracy"),
                note=_DENSE if k is None else "",
                rank=place if k is None else place - len(_FIRST),
                **_WITH_BOTH,
            )
    return metrics


_OF_LATENTS = {
    "assigned_latents": Metric(
        title="Assigned latents",
        description="Share of the latents that vary that stand for one factor value: their "
        "information on it is beyond a permutation null and at least twice that on any value of an "
        "unrelated factor, or other value of its own factor.",
        direction=Direction.HIGHER,
        gist="latents that stand for one value of one factor",
        short="assigned latents",
        **_WITH_NULL,
    ),
    "value_coverage": Metric(
        title="Value coverage",
        description="Share of a factor's values that a latent is assigned to; of many latents "
        "some are assigned by chance.",
        direction=Direction.HIGHER,
        gates=False,
        **_WITH_NULL,
    ),
    "selectivity": Metric(
        title="Selectivity",
        description="Of a latent's information on all factors, the share of the one that it has "
        "most of; a parent and its children count as one. Mean over informative latents. "
        "High by chance too: a latent that chance makes informative about one factor is seldom "
        "so about two.",
        direction=Direction.HIGHER,
        gates=False,
        **_WITH_NULL,
    ),
    "factor_entropy": Metric(
        title="Entropy over factors",
        description="Entropy of a latent's information over factors: 0 for one factor, 1 for all "
        "alike. Mean over informative latents. Low by chance too: see selectivity's.",
        direction=Direction.LOWER,
        gates=False,
        **_BY_FACTOR,
    ),
    "absorption": Metric(
        title="Absorption",
        description="Share of the samples of a child's value in which its latent fires and that of "
        "the parent's value is silent; mean over children.",
        direction=Direction.LOWER,
        **_BY_FACTOR,
    ),
    "absorption_excess": Metric(
        title="Absorption, beyond recall",
        description="That share minus the share expected if the two latents fired independently, "
        "for the children for which it exceeds that, and 0 for the others; mean over children.",
        direction=Direction.LOWER,
        gates=False,
        **_BY_FACTOR,
    ),
}

_DONE = {
    "clamp": ("Clamping", "clamped to its 95% quantile in prompts that lack the value"),
    "ablation": ("Ablation", "ablated in prompts that have the value"),
}

_LATENTS_DONE = (
    (
        "",
        "",
        "the value's best latent",
        " Any disturbance makes unlikely words likelier: compare with random latents.",
    ),
    (
        "random_",
        " of random latents",
        "a random latent that fires as often, and is most informative about an unrelated factor,",
        "",
    ),
)

_DISTURBS = "Compare it with that of random latents."


def _interventions() -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for operation, (title, done) in _DONE.items():
        effect = (
            f"Change of the log-odds, in nats and in the expected direction, of the value's later "
            f"word where {{}} is {done}{_MEAN}"
        )
        for prefix, of, latent, more in _LATENTS_DONE:
            direction = Direction.NONE if prefix else Direction.HIGHER
            metrics[f"{prefix}{operation}_effect"] = Metric(
                title=f"{title}, effect{of}",
                description=effect.format(latent) + more,
                direction=direction,
                short=_SHORT.get(f"{prefix}{operation}_effect", ""),
                gist=_GISTS.get(f"{prefix}{operation}_effect", ""),
                parts=_PARTS.get(f"{prefix}{operation}_effect", ()),
                low=None,
                high=None,
                unit="" if prefix else "nats",
                gates=False,
                margin=None,
                rank=1 if prefix else 0,
                note=_DISTURBS if f"{prefix}{operation}" == "clamp" else "",
                **_WITH_INTERVAL,
            )
            metrics[f"{prefix}{operation}_specificity"] = Metric(
                title=f"{title}, specificity{of}",
                description="That effect over the sum of it and the mean magnitude of what happens "
                "to the right later words of unrelated factors: about .5 for what disturbs all "
                "words alike. Null where the effect is within noise.",
                direction=direction,
                gates=False,
                rank=1 if prefix else 0,
                **_WITH_INTERVAL,
            )
    return metrics


METRICS = _probes(N_LATENTS) | _OF_LATENTS | _interventions()


class ProbeDetail(ResultModel):
    """Scores of a probe on templates that it was not fitted on."""

    probe: str
    """`top_k`, on k latents, or `dense`, on the model's activations."""
    latents: list[int]
    """Latents that the probes of the two halves chose; empty for dense."""
    accuracy: float | None
    balanced_accuracy: float | None
    auroc: float | None
    reason: str
    """Why these are null; empty where they are not."""


class InterventionDetail(ResultModel):
    """Effect of clamping or ablating the value's latent on later words, in nats of log-odds."""

    operation: str
    """`clamp`, in prompts that lack the value, or `ablation`, in those that have it."""
    own: float | None
    """Change of the log-odds of the value's own word, in the expected direction."""
    own_low: float | None
    own_high: float | None
    others: float | None
    """Mean magnitude of the change of the right words for factors of other families."""
    specificity: float | None
    """own / (own + others); null where the interval of own is not above 0."""
    random_own: float | None
    """The same as own, for the matched random latent."""
    random_low: float | None
    random_high: float | None
    reasons: dict[str, str]
    """Field -> the reason for its being null, for those that are."""


class ProbedValueDetail(ResultModel):
    """Results for one value of a factor."""

    value: str
    n: int
    """Number of samples that have it."""
    latent: int | None
    """The most informative latent that is larger with the value than without; null where that is
    within the null of the largest of all latents."""
    information: float | None
    """That latent's information on it, in units of the value's entropy, 0 to 1."""
    control: int | None
    """A random latent that fires about as often, and is most informative about an unrelated factor;
    null where nothing was done."""
    assigned_latents: list[int]
    """The latents that stand for this value alone."""
    probes: list[ProbeDetail]
    operations: list[InterventionDetail]


class AbsorbedChild(ResultModel):
    """Absorption of a value by its parent's."""

    value: str
    parent_value: str
    parent_latent: int | None
    child_latent: int | None
    n: int
    rate: float | None
    """Share of the samples with the value in which its latent fires and the parent's is silent."""
    expected: float | None
    """Share expected if the parent's latent were silent independently of the child's."""
    recall: float | None
    """Share of the samples with the value in which the parent's latent fires."""
    parent_recall: float | None
    """The same share over all samples with the parent's value."""
    reason: str
    """Why these are null; empty where they are not."""


class ProbingFactorDetail(FactorDetail):
    """Results for one factor."""

    values: list[ProbedValueDetail]
    """Its values, in order."""
    absorbed: list[AbsorbedChild]
    """Absorption of each of a child factor's values that lies in one of its parent's."""
