"""Value MIG, in the unit of the dataset, orders SAEs as their training does (README, "Factors")."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import CsaeBench

WARM_UPS = {
    # steps: of the learning rate and of its decay, as shares of batchtopk's 800 steps
    40: (2, 8),
    200: (10, 40),
    800: (40, 160),
}


def _sets(n_steps: int) -> list[str]:
    warm_up, decay = WARM_UPS[n_steps]
    values = {
        "training.n_tokens": n_steps * 2048,
        "training.lr_warm_up_steps": warm_up,
        "training.lr_decay_steps": decay,
    }
    return [text for key, value in values.items() for text in ("--set", f"{key}={value}")]


def _scores(csae_bench: CsaeBench, results: Path, *flags: str) -> dict[str, float]:
    """Return value MIG at the full stop and pooled, and what one latent tells of a value."""
    csae_bench(
        "run", *flags, "--results", str(results), "--evals", "mig,feature_correlation",
        "--set", "evals.mig.n_permutations=19",
        "--set", "evals.feature_correlation.n_permutations=19",
        "--set", "evals.feature_correlation.n_importance_permutations=1",
    )  # fmt: skip
    (mig,) = results.glob("mig/*_eval_results.json")
    (correlation,) = results.glob("feature_correlation/*_eval_results.json")
    scores = json.loads(mig.read_text())["eval_result_metrics"]
    others = json.loads(correlation.read_text())["eval_result_metrics"]["scores"]
    return {
        "value_mig": scores["scores"]["value_mig"],
        "value_mig_mean": scores["poolings"]["value_mig_mean"],
        "best_correlation": others["best_correlation"],
    }


@pytest.mark.slow
def test_more_training_scores_more_at_the_full_stop_and_not_pooled(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    trained = {
        n_steps: _scores(csae_bench, tmp_path / str(n_steps), "--sae", "batchtopk", *_sets(n_steps))
        for n_steps in WARM_UPS
    }
    random = _scores(csae_bench, tmp_path / "random", "--sae", "random")
    pca = _scores(csae_bench, tmp_path / "pca", "--sae", "pca")
    in_order = [random, trained[40], trained[200], trained[800]]
    for name in ("value_mig", "best_correlation"):
        values = [scores[name] for scores in in_order]
        assert values == sorted(values), f"{name}: {values}"
        assert trained[40][name] < pca[name] < trained[800][name], f"{name}: {pca[name]}"
    # why no SAEs are compared by pooled codes
    assert random["value_mig_mean"] > trained[800]["value_mig_mean"]
    assert pca["value_mig_mean"] > trained[800]["value_mig_mean"]
