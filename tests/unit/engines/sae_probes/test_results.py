"""sae-probes' scores under SAE-Bench's names."""

from __future__ import annotations

from csae_bench.engines.sae_probes.results import (
    ONE_DATASET,
    DatasetOutcome,
    Scores,
    detail_model,
    details,
    metrics,
    reasons,
)
from csae_bench.evals import get_eval


def _outcome(name: str, auc: float, llm: Scores | None = None) -> DatasetOutcome:
    return DatasetOutcome(
        name=name,
        sae={1: Scores(0.5, auc, 0.4)},
        latents={1: (3,)},
        llm=llm,
        n_rows=120,
        n_train=20,
        n_truncated=0,
    )


MANY = [_outcome(f"set {i}", 0.5 + i / 100, Scores(1.0, 1.0, 1.0)) for i in range(40)]


def test_scores_are_means_over_datasets_within_their_intervals() -> None:
    result = metrics(MANY, n_resamples=1000, seed=0)
    assert result["sae"]["sae_top_1_test_auc"] == sum(0.5 + i / 100 for i in range(40)) / 40
    low, high = (result["intervals"][f"sae_top_1_test_auc_{end}"] for end in ("low", "high"))
    assert low is not None
    assert high is not None
    # the mean of 40 draws of a spread of 0.115 has a standard error of 0.018; 1.96 of them
    assert abs(low - (0.695 - 0.036)) < 0.004
    assert abs(high - (0.695 + 0.036)) < 0.004


def test_a_score_that_no_dataset_moves_has_an_interval_of_no_width() -> None:
    result = metrics(MANY, n_resamples=1000, seed=0)["intervals"]
    assert result["llm_test_auc_low"] == result["llm_test_auc_high"] == 1.0


def test_of_one_dataset_there_is_no_interval_and_a_reason() -> None:
    result = metrics(MANY[:1], n_resamples=1000, seed=0)
    assert result["sae"]["sae_top_1_test_auc"] == 0.5
    assert result["intervals"]["sae_top_1_test_auc_low"] is None
    assert reasons(result)["sae_top_1_test_auc_low"] == ONE_DATASET


def test_what_was_not_asked_for_is_null_and_says_so() -> None:
    result = metrics([_outcome("a", 0.5), _outcome("b", 0.6)], n_resamples=1000, seed=0)
    why = reasons(result)
    assert result["llm"]["llm_test_auc"] is None
    assert why["llm_test_auc"] == "evals.sparse_probing_sae_probes.include_llm_baseline is false"
    assert why["sae_top_50_test_f1"] == "50 is not among evals.sparse_probing_sae_probes.ks"
    assert why["sae_top_50_test_f1_high"] == why["sae_top_50_test_f1"]
    nulls = {name for part in result.values() for name, value in part.items() if value is None}
    assert why.keys() == nulls


def test_metrics_and_details_fit_their_models() -> None:
    model = get_eval("sparse_probing_sae_probes").metrics_model
    assert model is not None
    model.model_validate(metrics(MANY, n_resamples=1000, seed=0))
    for detail in details(MANY[:2]):
        detail_model().model_validate(detail)
    assert details(MANY[:1])[0]["latents"] == {"1": [3]}
