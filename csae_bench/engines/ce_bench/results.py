"""Results of CE-Bench's scores: the rows of the metrics, and the values of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from csae_bench.evals.metric_rows import CATEGORIES, SCORES, Category, Direction, Form, Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from csae_bench.engines.ce_bench.pairs import EncodedPairs

OF_PARAPHRASES = "paraphrase_contrastive_score"
NO_PARAPHRASE = "no pair has a paraphrase"
NO_CHANGE = "no latent's mean code differs between the two texts of any pair"

_UNIT: dict[str, Any] = {"high": None, "unit": "standard deviations", "gates": False}
_WIDTH = "Of SAEs of one width alone: it grows with the square root of d_sae."
_SCORE: dict[str, Any] = {
    **_UNIT,
    "direction": Direction.HIGHER,
    "margin": None,
    "note": _WIDTH,
    "has_null": True,
    "permuted": "the pairs' second texts",
    "has_interval": True,
    "compared": ("adjusted",),
}

METRICS = {
    "contrastive_score": Metric(
        title="Contrastive score",
        description="Largest difference of a latent's mean code between the two texts of a minimal "
        "pair, in standard deviations of that difference over the latents; mean over pairs. "
        "Gulko et al. 2025, arXiv:2509.00691.",
        gist="how far one latent stands out in what differs between the texts of a pair",
        short="contrastive",
        **_SCORE,
    ),
    "independence_score": Metric(
        title="Independence score",
        description="The same of the difference between a pair's mean code and that of all pairs. "
        "Gulko et al. 2025, arXiv:2509.00691.",
        gist="how far one latent stands out in what differs between a pair and all pairs",
        short="independence",
        **_SCORE,
    ),
    "interpretability_score": Metric(
        title="CE-Bench interpretability score",
        description="The same of the sum of both differences, without the term for sparsity and "
        "the regression on SAE-Bench's results, whose constants are fitted to others' SAEs.",
        short="both",
        **_SCORE,
    ),
    OF_PARAPHRASES: Metric(
        title="Contrastive score of paraphrases",
        description="The contrastive score between anchors and their paraphrases, which differ in "
        "words and in no factor: what of the score is wording.",
        direction=Direction.NONE,
        is_supporting=True,
        has_interval=True,
        short="paraphrases",
        **_UNIT,
    ),
    "independence_score_as_run": Metric(
        title="Independence score, as the authors' code has it",
        description="The score of a pair's mean code itself: in the authors' code the mean of all "
        "pairs is always 0.",
        direction=Direction.NONE,
        is_supporting=True,
        **_UNIT,
    ),
}

FORM = Form(
    categories={
        SCORES: CATEGORIES[SCORES],
        "chance": Category(
            title="Chance",
            description="Each value compared with that of pairs whose second texts are exchanged.",
        ),
        "intervals": Category(
            title="Intervals", description="95% percentile intervals from resampling pairs."
        ),
    }
)

Metrics = dict[str, dict[str, float | None]]


class CeBenchDetail(BaseModel):
    """Scores of the pairs that differ in one factor."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    factor: str | None
    """Factor in which the two texts differ; null: the data does not say."""
    n_pairs: int
    """Number of pairs."""
    contrastive_score: float
    """Mean contrastive score of these pairs."""
    independence_score: float
    """Mean independence score of these pairs."""
    interpretability_score: float
    """Mean interpretability score of these pairs."""


def measured(
    encoded: EncodedPairs, *, n_permutations: int, n_resamples: int, seed: int
) -> tuple[Metrics, dict[str, str]]:
    """Return the metrics, and the reason of those that are null.

    Intervals hold the mean code of all pairs fixed.
    """
    import numpy as np

    from csae_bench.metrics.ce_bench import SCORES as NAMES
    from csae_bench.metrics.ce_bench import pair_scores

    rng = np.random.default_rng(seed)
    by_name = vars(pair_scores(encoded.minimal))
    anew = (encoded.minimal.paired_anew(rng) for _ in range(n_permutations))
    nulls = [pair_scores(pairs).means() for pairs in anew]
    undefined: dict[str, str] = {}
    if not by_name[NAMES[0]].any():
        undefined[NAMES[0]] = NO_CHANGE
    if encoded.paraphrase is None:
        undefined[OF_PARAPHRASES] = NO_PARAPHRASE
    else:
        by_name = {
            **by_name,
            OF_PARAPHRASES: pair_scores(encoded.paraphrase).contrastive_score,
        }
    metrics: Metrics = {SCORES: {}, "chance": {}, "intervals": {}}
    reasons: dict[str, str] = {}
    for name, metric in METRICS.items():
        fields: dict[str, dict[str, float | None]] = {}
        of_pairs = None if name in undefined else by_name[name]
        fields[SCORES] = {name: None if of_pairs is None else float(of_pairs.mean())}
        if metric.has_null:
            null = None if of_pairs is None else np.array([drawn[name] for drawn in nulls])
            fields["chance"] = _chance(name, of_pairs, null)
        if metric.has_interval:
            fields["intervals"] = _interval(name, of_pairs, n_resamples, seed)
        for category, of_category in fields.items():
            metrics[category] |= of_category
            reasons |= {field: undefined[name] for field in of_category if name in undefined}
    return metrics, reasons


def details(encoded: EncodedPairs) -> list[dict[str, Any]]:
    """Return an entry for each factor in which pairs differ, by name."""
    import numpy as np

    from csae_bench.metrics.ce_bench import SCORES as NAMES
    from csae_bench.metrics.ce_bench import pair_scores

    scores = pair_scores(encoded.minimal)
    factors = np.array([pair.factor or "" for pair in encoded.pairs])
    return [
        {
            "factor": str(factor) or None,
            "n_pairs": int((factors == factor).sum()),
            **{name: float(getattr(scores, name)[factors == factor].mean()) for name in NAMES},
        }
        for factor in np.unique(factors)
    ]


def data(encoded: EncodedPairs, name: str) -> dict[str, Any]:
    """Return what the scores are of."""
    return {
        "pairs": name,
        "fingerprint": encoded.fingerprint,
        "n_pairs": len(encoded.pairs),
        "n_paraphrases": sum(pair.paraphrase is not None for pair in encoded.pairs),
        "n_truncated": encoded.n_truncated,
    }


def warnings(encoded: EncodedPairs) -> list[str]:
    """Return what a reader of the scores must know, a sentence each."""
    n = encoded.n_truncated
    return [f"{n} texts are longer than the context and were cut"] if n else []


def _chance(
    name: str, values: NDArray[Any] | None, null: NDArray[Any] | None
) -> dict[str, float | None]:
    if values is None or null is None:
        return {f"{name}_{suffix}": None for suffix in ("null_mean", "adjusted", "p")}
    value, mean = float(values.mean()), float(null.mean())
    return {
        f"{name}_null_mean": mean,
        f"{name}_adjusted": value - mean,
        f"{name}_p": (1 + int((null >= value).sum())) / (1 + len(null)),
    }


def _interval(
    name: str, values: NDArray[Any] | None, n_resamples: int, seed: int
) -> dict[str, float | None]:
    """Return the 95% percentile interval of the mean over pairs."""
    import numpy as np

    from csae_bench.metrics.bootstrap import cluster_draws

    if values is None:
        return {f"{name}_low": None, f"{name}_high": None}
    drawn = cluster_draws(len(values), n_resamples, seed) @ values / len(values)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return {f"{name}_low": float(low), f"{name}_high": float(high)}
