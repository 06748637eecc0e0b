"""csae_bench/comparison/rules.py."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.rules import Rule, check_rules, parse_rule
from csae_bench.errors import ConfigError, UsageError

METRICS = (
    "core.ce_loss_score",
    "core.corrected.mse",
    "core.l0",
    "core.l2_ratio",
    "feature_correlation.near_duplicates",
    "mig.mig",
    "mig.value_mig",
    "unlearning.unlearning_score",
)

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(str.strip).filter(bool)


@given(names, st.floats(allow_nan=False, allow_infinity=False))
def test_a_rule_reads_back_its_metric_and_its_number(name: str, limit: float) -> None:
    rule = parse_rule(f"{name}:{limit!r}")
    assert (rule.pattern, rule.limit) == (name, limit)


@given(st.text())
def test_any_text_is_a_rule_or_a_sentence(text: str) -> None:
    try:
        rule = parse_rule(text)
    except UsageError:
        return
    assert rule.pattern
    assert rule.limit == "ci" or math.isfinite(rule.limit)


@pytest.mark.parametrize("text", ["a.b:nan", "a.b:inf", "a.b:-1e999", "a.b:CI", "a.b:0,1"])
def test_a_limit_is_a_finite_number_or_ci(text: str) -> None:
    with pytest.raises(UsageError, match="must be a number"):
        parse_rule(text)


@pytest.mark.parametrize("text", ["", ":", "a.b", "a.b:", ":ci", " :ci"])
def test_a_rule_has_a_metric_and_a_limit(text: str) -> None:
    with pytest.raises(UsageError, match="write it as METRIC:RULE"):
        parse_rule(text)


def test_a_glob_covers_what_may_gate_and_a_name_covers_itself() -> None:
    glob, name = parse_rule("*:ci"), parse_rule("unlearning.unlearning_score:ci")
    covered = [metric for metric in METRICS if glob.covers(lookup(metric))]
    assert covered == [metric for metric in METRICS if lookup(metric).may_gate]
    assert 0 < len(covered) < len(METRICS)
    assert [m for m in METRICS if name.covers(lookup(m))] == ["unlearning.unlearning_score"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("core.ce_loss:ci", "Did you mean 'core.ce_loss_score'"),
        ("core.ce_loss_score:0.01", "write core.ce_loss_score:-0.01"),
        ("core.corrected.mse:-2", "write core.corrected.mse:2"),
        ("core.l2_ratio:-0.1", "nearer to 1.0"),
        ("core.l0:-2", "write core.l0:2"),
        ("core.l0:ci", "core.l0 has no preferred direction"),
        ("*:-0.01", "feature_correlation.near_duplicates is better when lower"),
        ("unlearning.*:ci", "do not gate unless a rule names them"),
    ],
)
def test_a_rule_that_cannot_judge_is_a_sentence(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_rules([parse_rule(text)], METRICS)
    assert expected in str(caught.value)


def test_every_wrong_rule_is_reported() -> None:
    rules = [parse_rule(text) for text in ("croe.x:ci", "core.l0:ci", "mig.value_mig:-1")]
    with pytest.raises(ConfigError) as caught:
        check_rules(rules, METRICS)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "text", ["core.ce_loss_score:0", "core.corrected.mse:0", "core.l0:0.5", "mig.*:ci", "mig.*:-1"]
)
def test_a_rule_that_can_judge_passes(text: str) -> None:
    check_rules([parse_rule(text)], METRICS)


def test_a_rule_is_written_as_it_was_given() -> None:
    assert str(parse_rule("core.ce_loss_score:-0.01")) == "core.ce_loss_score:-0.01"
    assert str(Rule(pattern="mig.*", limit="ci", source="policy.yaml")) == "mig.*:ci"
