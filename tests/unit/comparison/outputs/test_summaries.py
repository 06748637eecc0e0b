"""What the outputs have in common: what failed, the outcome, which metrics, means over seeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from csae_bench.comparison.gate import RUNS_ARE_OK
from csae_bench.comparison.model import Broken, Family, Finding, Judgement, Verdict
from csae_bench.comparison.outputs import selection
from csae_bench.comparison.outputs.overview import outcome, stamp, verdict_counts
from csae_bench.comparison.outputs.troubles import troubles
from csae_bench.comparison.outputs.values import family_values, valid
from csae_bench.errors import (
    EXIT_FAILED,
    EXIT_INCOMPARABLE,
    EXIT_MISSING,
    EXIT_OK,
    EXIT_REGRESSION,
)
from tests.unit.comparison.outputs import reports

DEAD = ("L0 is 0: no latent is active",)


def test_failed_runs_come_before_invalid_ones() -> None:
    listed = troubles(reports.every_verdict())
    assert [(t.status, t.sae_id) for t in listed] == [
        ("failed", "original_run_1"),
        ("invalid", "jumprelu"),
    ]


def test_an_sae_that_its_run_and_its_results_call_invalid_is_said_once() -> None:
    broken_run = reports.run(reports.CUSTOM, status="invalid", problems=(f"core: {DEAD[0]}",))
    results = reports.results(
        reports.readings(reports.CUSTOM, seeds=(0,), invalid=DEAD), runs=[broken_run]
    )
    (listed,) = troubles(reports.report(results))
    assert listed.problems == (f"core: {DEAD[0]}",)


def test_the_baselines_troubles_are_distinguished_from_the_candidates() -> None:
    bad = reports.results(runs=[reports.run(reports.TOPK, status="failed", problems=("x",))])
    good = reports.results(reports.readings(reports.CUSTOM))
    assert [t.side for t in troubles(reports.report(good, bad))] == ["baseline"]


@pytest.mark.parametrize(
    ("exit_code", "word"),
    [
        (EXIT_REGRESSION, "Regression"),
        (EXIT_INCOMPARABLE, "Not comparable"),
        (EXIT_FAILED, "Failed"),
        (EXIT_MISSING, "Result missing"),
    ],
)
def test_the_outcome_says_the_exit_code_in_words(exit_code: int, word: str) -> None:
    report = replace(reports.every_verdict(), exit_code=exit_code)
    assert outcome(report).word == word
    assert outcome(report).level == "bad"


def test_the_outcome_counts_what_led_to_it() -> None:
    assert outcome(reports.every_verdict()).sentence == (
        "1 failed run; 1 invalid SAE; 1 file that could not be read; 1 rule finds a regression; "
        "1 rule passed."
    )


def test_a_report_without_rules_neither_passes_nor_fails() -> None:
    conclusion = outcome(reports.five_good_runs())
    assert conclusion == ("Read", "Nothing was compared; no rule was set.", "neutral")


def test_failed_runs_are_no_rule_that_passed_or_not() -> None:
    bad = reports.run(reports.CUSTOM, status="failed", problems=("no steps",))
    finding = Finding(rule=RUNS_ARE_OK, metric="", candidate=reports.CUSTOM,
                      judgement=Judgement.FAILED, message="no steps")  # fmt: skip
    report = reports.report(reports.results(runs=[bad]), findings=[finding], exit_code=EXIT_FAILED)
    assert outcome(report).sentence == "1 failed run; nothing was compared."


def test_a_passing_gate_is_good() -> None:
    report = replace(reports.every_verdict(), exit_code=EXIT_OK)
    assert outcome(report)[::2] == ("Passed", "good")


def test_the_stamp_names_what_was_allowed() -> None:
    assert "dtype" in str(stamp(reports.every_verdict()))
    assert stamp(reports.five_good_runs()) is None


def test_verdicts_are_counted_in_the_order_of_verdicts() -> None:
    counts = verdict_counts(reports.every_verdict().comparisons)
    assert list(counts) == list(Verdict)
    assert set(counts.values()) == {1}


def test_metrics_are_listed_by_eval_with_core_first() -> None:
    assert selection.in_order(["mig.mig", "core.l1", "mig.value_mig", "core.ce_loss_score"]) == [
        "core.ce_loss_score",
        "core.l1",
        "mig.value_mig",
        "mig.mig",
    ]


def test_of_each_eval_the_metrics_that_say_most_are_shown() -> None:
    metrics = [metric for values in reports.TYPICAL.values() for metric in values]
    assert selection.headlines([*metrics, "new_eval.a", "new_eval.b", "new_eval.c"]) == [
        "core.ce_loss_score",
        "core.corrected.explained_variance",
        "core.l0",
        "mig.value_mig",
        "mig.mig",
        "new_eval.a",
        "new_eval.b",
    ]


def test_a_metric_that_a_rule_looks_at_is_always_shown() -> None:
    report = reports.every_verdict()
    extra = reports.comparison("core.mse", Verdict.WORSE, 0.1)
    rule = Finding(rule="core.mse:0.01", metric="core.mse", candidate=reports.CUSTOM,
                   judgement=Judgement.REGRESSED, message="rose")  # fmt: skip
    asked = replace(
        report, comparisons=(*report.comparisons, extra), findings=(*report.findings, rule)
    )
    without = replace(asked, findings=report.findings)
    assert "core.mse" in selection.shown(asked)
    assert "core.mse" not in selection.shown(without)


def test_means_over_seeds_have_scipys_t_interval() -> None:
    results = reports.results(reports.readings(reports.CUSTOM))
    result = family_values(results, 0.05)[reports.CUSTOM]["core.l0"]
    values = [r.values["core.l0"] for r in results.readings if r.eval_name == "core"]
    low, high = stats.t.interval(
        0.95, len(values) - 1, loc=sum(values) / 5, scale=stats.sem(values)
    )
    assert result.n == 5
    assert result.interval is not None
    # both are exact but for rounding
    assert (result.interval.low, result.interval.high) == pytest.approx((low, high), rel=1e-12)


def test_a_single_seed_has_no_interval() -> None:
    results = reports.results(reports.readings(reports.CUSTOM, seeds=(3,)))
    values = family_values(results, 0.05)[reports.CUSTOM]["core.l0"]
    assert values.n == 1
    assert values.interval is None


def test_an_sae_that_one_eval_found_invalid_counts_in_none() -> None:
    good = reports.readings(Family(reports.RELEASE, "topk"), seeds=(0,))
    core, mig = reports.readings(reports.CUSTOM, seeds=(0,))
    readings = [*good, replace(core, invalid=DEAD), mig]
    assert valid(readings) == good


def test_broken_files_of_both_sides_are_counted() -> None:
    broken = [Broken(Path("core/x.json"), "is empty.")]
    one = reports.results(reports.readings(reports.CUSTOM), broken=broken)
    other = reports.results(reports.readings(reports.TOPK), broken=broken)
    assert "2 files that could not be read" in outcome(reports.report(one, other)).sentence
