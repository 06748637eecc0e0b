"""Names from before 0.1.0, as they are called now."""

from __future__ import annotations

import pytest

from csae_bench.support import old_names


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tied_latents", "assigned_latents"),
        ("covered_values_null_mean", "value_coverage_null_mean"),
        ("factor_probing.tied_latents", "factor_probing.assigned_latents"),
        ("*.covered_values*", "*.value_coverage*"),
        ("factor_probing.selectivity", "factor_probing.selectivity"),
        ("untied_latents", "untied_latents"),
    ],
)
def test_a_metric_is_called_by_its_new_name(old: str, new: str) -> None:
    assert old_names.metric_name(old) == new


def test_metrics_of_an_old_result_have_their_new_names() -> None:
    old = {"eval_result_metrics": {"scores": {"tied_latents": 0.5, "covered_values_p": 0.25}}}
    assert old_names.of_result(old) == {
        "eval_result_metrics": {"scores": {"assigned_latents": 0.5, "value_coverage_p": 0.25}}
    }


def test_an_old_metric_of_a_rule_is_warned_of() -> None:
    from csae_bench.comparison.rules import parse_rule

    with pytest.warns(old_names.OldNameWarning, match="--fail-on: '.*' is called"):
        rule = parse_rule("factor_probing.tied_latents:ci")
    assert rule.pattern == "factor_probing.assigned_latents"
