"""Results of sae-probes, under the names of SAE-Bench's `sparse_probing_sae_probes`.

Importing this imports neither torch nor sae_probes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, create_model

from csae_bench.evals.metric_rows import Category, Direction, Form, Metric

K = Literal[1, 2, 5, 10, 20, 50, 100]
"""The numbers of latents that SAE-Bench has fields for."""

ONE_DATASET = "there is one dataset, and nothing to resample"

_SCORES = {
    "test_accuracy": ("accuracy", "Share of held-out prompts that are classified correctly."),
    "test_auc": ("AUC", "Area under the ROC curve on held-out prompts."),
    "test_f1": ("F1", "Harmonic mean of precision and recall on held-out prompts, by class."),
}
_MEAN = " Mean over datasets."


def _row(title: str, score: str, probe: str, **more: Any) -> Metric:
    short, text = _SCORES[score]
    return Metric(
        # as the same metrics of SAE-Bench's sparse_probing are called beside these
        title=", ".join([title, *([short] if short != "accuracy" else [])]),
        description=f"{text} {probe}{_MEAN}",
        low=0,  # whole numbers, as the published schema has them
        high=1,
        comparable_from=None,
        has_interval=True,
        is_displayed=False,
        **more,
    )


METRICS = {
    **{
        f"llm_{score}": _row(
            "Probe on activations",
            score,
            "A dense probe on the model's activations.",
            schema_title=f"LLM test {short}",
            short="dense",
            category="llm",
            direction=Direction.NONE,
            rank=1,
            note="Describes the language model, not the SAE.",
        )
        for score, (short, _) in _SCORES.items()
    },
    **{
        f"sae_top_{k}_{score}": _row(
            f"Sparse probing, top {k}",
            score,
            f"A probe on {k} latents.",
            schema_title=f"SAE test {short}, k = {k}",
            short="AUC, k = 1" if k == 1 else f"k = {k}",
            category="sae",
            direction=Direction.HIGHER,
        )
        for k in get_args(K)
        for score, (short, _) in _SCORES.items()
    },
}
"""SAE-Bench has the same fields, and others' titles for them."""

FORM = Form(
    categories={
        "llm": Category(
            title="LLM",
            description="Means over datasets of the LLM's probes.",
            is_displayed=True,
            model="SaeProbesLlm",
        ),
        "sae": Category(
            title="SAE",
            description="Means over datasets of the SAE's probes.",
            is_displayed=True,
            model="SaeProbesSae",
        ),
        "intervals": Category(
            title="Intervals",
            description="95% percentile intervals of the means, from resampling datasets.",
            model="SaeProbesIntervals",
        ),
    }
)

_FIELDS = {
    category: [name for name, metric in METRICS.items() if metric.category == category]
    for category in ("llm", "sae")
}
_OF_ANY_PROBE = (*_FIELDS["llm"], *_FIELDS["sae"])

Metrics = dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class Scores:
    """A probe's scores on held-out prompts, 0 to 1."""

    accuracy: float
    auc: float
    f1: float
    """Weighted by class."""


@dataclass(frozen=True, kw_only=True)
class DatasetOutcome:
    """Results of sae-probes on one dataset."""

    name: str
    sae: Mapping[int, Scores]
    """By k."""
    latents: Mapping[int, tuple[int, ...]]
    """The latents of each k, the one with the largest difference of means first."""
    llm: Scores | None
    """The probe on the model's activations; None where it was not asked for."""
    n_rows: int
    n_train: int
    n_truncated: int
    """Prompts longer than the context, of which only the end was read."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class DatasetDetail(_Strict):
    """Results on one dataset; scores are null where no such probe was requested."""

    dataset_name: str
    """The file's name without its ending."""
    n_rows: int
    """Number of prompts that were used."""
    n_train: int
    """Number of these that probes were fitted on."""
    n_truncated: int
    """Prompts longer than the context, of which only the end was read."""
    latents: dict[str, list[int]]
    """k -> the latents of its probe, the one with the largest difference of means first."""


def detail_model() -> type[BaseModel]:
    """Create the model of an entry of `eval_result_details`: a dataset's scores."""
    fields: dict[str, Any] = {
        name: (
            float | None,
            Field(
                title=metric.schema_title,
                description=metric.description.removesuffix(_MEAN),
                ge=metric.low,
                le=metric.high,
            ),
        )
        for name, metric in METRICS.items()
    }
    return create_model("SaeProbesDetail", __base__=DatasetDetail, **fields)


def details(datasets: Sequence[DatasetOutcome]) -> list[dict[str, Any]]:
    """Return an entry for each dataset."""
    return [
        {
            "dataset_name": outcome.name,
            "n_rows": outcome.n_rows,
            "n_train": outcome.n_train,
            "n_truncated": outcome.n_truncated,
            "latents": {str(k): list(latents) for k, latents in outcome.latents.items()},
            **dict.fromkeys(_OF_ANY_PROBE),
            **_scores(outcome),
        }
        for outcome in datasets
    ]


def metrics(datasets: Sequence[DatasetOutcome], *, n_resamples: int, seed: int) -> Metrics:
    """Average over datasets, with 95% percentile intervals; null for probes not requested.

    Of one dataset there is no interval. Datasets are drawn as wholes: prompts of one are no
    independent evidence on another.
    """
    import numpy as np

    from csae_bench.metrics.bootstrap import cluster_draws

    by_category: Metrics = {category: dict.fromkeys(fields) for category, fields in _FIELDS.items()}
    by_category["intervals"] = {
        f"{field}_{end}": None for field in _OF_ANY_PROBE for end in ("low", "high")
    }
    rows = [_scores(dataset) for dataset in datasets]
    names = list(rows[0])
    table = np.array([[row[name] for name in names] for row in rows])
    drawn = cluster_draws(len(rows), n_resamples, seed) @ table / len(rows)
    for name, mean, ends in zip(
        names, table.mean(0), np.percentile(drawn, (2.5, 97.5), axis=0).T, strict=True
    ):
        by_category["llm" if name in _FIELDS["llm"] else "sae"][name] = float(mean)
        if len(rows) > 1:
            low, high = map(float, ends)
            by_category["intervals"] |= {f"{name}_low": low, f"{name}_high": high}
    return by_category


def reasons(by_category: Metrics) -> dict[str, str]:
    """Map null fields to the reason why they are null."""
    scores = by_category["llm"] | by_category["sae"]
    why = {name: _not_asked_for(name) for name, value in scores.items() if value is None}
    for name, value in by_category["intervals"].items():
        if value is None:
            why[name] = why.get(name.rpartition("_")[0], ONE_DATASET)
    return why


def _not_asked_for(name: str) -> str:
    if name.startswith("llm"):
        return "evals.sparse_probing_sae_probes.include_llm_baseline is false"
    return f"{name.split('_')[2]} is not among evals.sparse_probing_sae_probes.ks"


def _scores(outcome: DatasetOutcome) -> dict[str, float]:
    probes = {f"sae_top_{k}": scores for k, scores in outcome.sae.items()}
    if outcome.llm is not None:
        probes["llm"] = outcome.llm
    return {
        f"{probe}_{name}": value
        for probe, scores in probes.items()
        for name, value in (
            ("test_accuracy", scores.accuracy),
            ("test_auc", scores.auc),
            ("test_f1", scores.f1),
        )
    }
