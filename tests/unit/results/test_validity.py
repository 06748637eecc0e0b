"""csae_bench/results/validity.py."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from csae_bench.results.validity import VitalSigns, reasons_invalid, vital_signs_of_core

ORIGINAL_RUN_0 = Path(__file__).parents[2] / "data" / "original_run_0_core_eval_results.json"
ALIVE = VitalSigns(
    l0=16.0,
    output_norm_ratio=0.97,
    alive_fraction=0.9,
    ce_loss_with_sae=3.0,
    ce_loss_with_ablation=12.0,
    ce_loss_without_sae=2.9,
)


def test_a_live_sae_is_valid() -> None:
    assert reasons_invalid(ALIVE) == []


def test_the_original_experiments_baseline_is_invalid_with_its_reasons() -> None:
    signs = vital_signs_of_core(json.loads(ORIGINAL_RUN_0.read_text()))
    reasons = " | ".join(reasons_invalid(signs))
    assert "no latent is active" in reasons
    assert "output is all zero" in reasons
    assert "worse than with the activation ablated" in reasons


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"l0": 0.0}, "no latent is active"),
        ({"output_norm_ratio": 0.0}, "all zero"),
        ({"alive_fraction": 0.0}, "dead"),
        ({"ce_loss_with_sae": 12.1}, "worse than with the activation ablated"),
        ({"ce_loss_with_sae": math.nan}, "not finite"),
        ({"output_norm_ratio": math.inf}, "not finite"),
    ],
)
def test_each_sign_of_death_is_a_reason_of_its_own(change: dict[str, float], reason: str) -> None:
    reasons = reasons_invalid(VitalSigns(**{**vars(ALIVE), **change}))
    assert len(reasons) == 1
    assert reason in reasons[0]


def test_a_control_may_be_worse_than_ablation_but_not_dead() -> None:
    worse = VitalSigns(**{**vars(ALIVE), "ce_loss_with_sae": 13.0})
    assert reasons_invalid(worse, is_control=True) == []
    assert reasons_invalid(VitalSigns(**{**vars(worse), "l0": 0.0}), is_control=True)


def test_what_was_not_measured_is_not_judged() -> None:
    assert reasons_invalid(VitalSigns()) == []
