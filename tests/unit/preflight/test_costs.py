"""csae_bench/preflight/costs.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from csae_bench.hardware import products
from csae_bench.preflight import costs
from csae_bench.runs.request import RunRequest
from csae_bench.runs.resolving import resolve_sae


def _lines(tmp_path: Path, preset: str | None, *evals: str) -> list[str]:
    sae = resolve_sae(RunRequest(source="random", results=tmp_path, evals=evals))
    return [message for _, message in costs.costs(sae, preset)]


def test_what_was_measured_is_scaled_by_parameters_and_products(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 1_662_000 / 2.6e9
    monkeypatch.setattr(costs, "tflops", lambda *_: costs.MEASURED_TFLOPS * size / 2)
    core = _lines(tmp_path, "published", "core")[1]
    assert core.startswith("core: 9 min an SAE on an RTX 3090, Gemma-2-2B")
    assert "18 min an SAE on this machine" in core


def test_the_sum_is_of_all_that_was_measured(tmp_path: Path) -> None:
    lines = _lines(tmp_path, "published", "core", "unlearning", "mig")
    (total,) = [line for line in lines if line.startswith("all of these")]
    assert "33 min once and 19 min an SAE on an RTX 3090" in total


def test_what_could_not_be_seen_is_named(tmp_path: Path) -> None:
    lines = _lines(tmp_path, "published", "unlearning")
    assert "Unverified: retain_thresholds" in lines[0]


def test_quick_has_no_cost_that_was_measured_elsewhere(tmp_path: Path) -> None:
    assert _lines(tmp_path, "quick", "mig") == [
        "mig: 50 permutations for the nulls; samples as usual."
    ]
    assert _lines(tmp_path, None, "mig") == []


def test_the_rate_of_products_is_that_of_a_machine() -> None:
    assert 1e-4 < products.tflops("cpu", "float32") < 1e3
