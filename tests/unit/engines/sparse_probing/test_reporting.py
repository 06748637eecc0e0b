"""Corrected values of sparse_probing."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.engines.sparse_probing.reporting import (
    LOWER_VRAM,
    ProbeAccuracies,
    corrected,
    not_asked_for,
)
from csae_bench.evals import get_eval


def _dataset(*accuracies: float, n_test: int = 100) -> ProbeAccuracies:
    classes = tuple(f"class {i}" for i in range(len(accuracies)))
    values = np.array(accuracies)
    by_probe = {"llm": values, "sae_top_1": values}
    return ProbeAccuracies(by_probe=by_probe, classes=classes, n_test=n_test)


def test_the_mean_is_over_classes_and_then_over_datasets() -> None:
    values, _ = corrected({"a": _dataset(0.6, 0.8), "b": _dataset(1.0)}, n_resamples=1000, seed=0)
    assert values["sae_top_1_test_accuracy"] == pytest.approx(0.85)


def test_more_test_texts_give_a_narrower_interval() -> None:
    def width(n_test: int) -> float:
        values, _ = corrected({"a": _dataset(0.8, n_test=n_test)}, n_resamples=4000, seed=0)
        low, high = (values[f"llm_test_accuracy_{end}"] for end in ("low", "high"))
        assert low is not None
        assert high is not None
        assert low < 0.8 < high
        return high - low

    # of the binomial: 2 * 1.96 * sqrt(0.8 * 0.2 / n)
    assert width(100) == pytest.approx(0.157, abs=0.02)
    assert width(2500) == pytest.approx(0.031, abs=0.005)


def test_every_row_has_a_value_or_a_reason() -> None:
    values, reasons = corrected({"a": _dataset(0.8)}, n_resamples=1000, seed=0)
    assert {f"corrected.{name}" for name, value in values.items() if value is None} == set(reasons)
    assert reasons["corrected.sae_test_accuracy"] == LOWER_VRAM
    assert "5 is not among" in reasons["corrected.sae_top_5_test_accuracy_low"]
    rows = [name for name in get_eval("sparse_probing").metrics if name.startswith("corrected.")]
    assert {f"corrected.{name}" for name in values} == set(rows)


def test_sae_benchs_nulls_have_reasons() -> None:
    assert not_asked_for({"sae": {"sae_top_10_test_accuracy": None, "sae_test_accuracy": -1}}) == {
        "sae_top_10_test_accuracy": "10 is not among evals.sparse_probing.k_values"
    }
