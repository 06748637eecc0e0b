"""A report on the terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from csae_bench.comparison.model import Broken, Family, Finding, Judgement, Report, Verdict
from csae_bench.comparison.outputs.terminal import MAX_LISTED, NARROW, WIDE, print_report
from tests.unit.comparison.outputs import reports


def _printed(report: Report, width: int = 120) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=width))
    return out.getvalue()


def _line(text: str, start: str) -> str:
    (collected,) = [line for line in text.splitlines() if line.startswith(start)]
    return " ".join(collected.split())


def test_failed_and_invalid_runs_come_first_with_their_errors() -> None:
    lines = _printed(replace(reports.every_verdict(), allowed_mismatches=())).splitlines()
    assert lines[:4] == [
        "failed tiny-gemma2-it_layer_2_sae original_run_1",
        "  1000 tokens / batch 2048 = 0 steps.",
        "invalid tiny-gemma2-it_layer_2_sae jumprelu",
        "  L0 is 0: no latent is active",
    ]


def test_a_row_has_means_difference_interval_verdict_seeds_and_p() -> None:
    printed = _printed(reports.every_verdict())
    assert _line(printed, "Value MIG ") == (
        "Value MIG 0.9700 0.9100 +0.060 [+0.050, +0.070] better 5 0.040 0.012"
    )


def test_a_verdict_without_a_difference_says_why() -> None:
    printed = _printed(reports.every_verdict())
    assert "dataset differs: tinyworld here, other there." in printed
    assert "jumprelu has no result of mig." in printed


def test_a_pair_that_cannot_be_compared_has_a_line_instead_of_a_table() -> None:
    dead = Family(reports.RELEASE, "dead")
    rows = [
        reports.comparison(metric, Verdict.INVALID, 0, candidate=dead, difference=None)
        for metric in ("core.l0", "mig.mig")
    ]
    results = reports.results(reports.readings(reports.CUSTOM))
    printed = _printed(reports.report(results, comparisons=rows))
    assert "dead against topk: invalid on every metric" in printed
    assert "verdict " not in printed


def test_the_outcome_is_the_last_line() -> None:
    assert _printed(reports.every_verdict()).splitlines()[-1].startswith("Failed: 1 failed run;")


def test_allowed_mismatches_are_stamped_at_both_ends() -> None:
    printed = _printed(reports.every_verdict())
    assert printed.count("Mismatches were allowed in dtype") == 2


def test_broken_files_and_warnings_are_printed() -> None:
    printed = _printed(reports.every_verdict())
    assert "not read: core/broken.json: is no JSON: line 3, column 1." in printed
    assert "warning: Seed 7 of topk has no partner." in printed


def test_without_comparisons_there_are_means_with_their_intervals() -> None:
    printed = _printed(reports.five_good_runs())
    row = _line(printed, "custom_sae  CE loss score")
    assert row.startswith("custom_sae CE loss score 0.91")
    assert row.endswith("] 5")


def test_metrics_that_are_not_shown_are_counted() -> None:
    assert "4 more metrics; --json and --html have all." in _printed(reports.five_good_runs())


def test_many_pairs_are_counted_after_the_first() -> None:
    rows = [
        reports.comparison("core.l0", Verdict.WORSE, 0.1, candidate=Family("r", f"sae{i:03}"))
        for i in range(MAX_LISTED + 7)
    ]
    results = reports.results(reports.readings(reports.CUSTOM))
    printed = _printed(reports.report(results, comparisons=rows))
    assert "7 more pairs of SAEs" in printed
    assert printed.count(" against ") == MAX_LISTED


@pytest.mark.parametrize("width", [60, NARROW, 80, WIDE, 120])
def test_no_number_or_verdict_is_cut_at_any_usual_width(width: int) -> None:
    printed = _printed(reports.every_verdict(), width)
    assert all(len(line) <= width for line in printed.splitlines())
    for text in ("+0.0010 [-0.0030, +0.0050]", "incomparable", "inconclusive", "equivalent"):
        assert text in printed
    # the name may be folded, and is there
    assert all(word in printed for word in ("CE", "loss", "score"))


def _finding(rule: str, sae: str, judgement: Judgement) -> Finding:
    return Finding(
        rule=rule,
        metric="mig.value_mig",
        candidate=Family("release", sae),
        judgement=judgement,
        message="why",
    )


def test_the_gate_names_the_sae_and_of_a_glob_the_metric() -> None:
    findings = [
        _finding("mig.*:ci", "fine", Judgement.PASSED),
        _finding("mig.value_mig:-0.1", "bad", Judgement.REGRESSED),
    ]
    lines = _printed(reports.report(reports.results([]), findings=findings)).splitlines()
    (bad,) = (i for i, line in enumerate(lines) if line.split()[:3] == [
        "mig.value_mig:-0.1", "regressed", "bad"])  # fmt: skip
    (fine,) = (i for i, line in enumerate(lines) if line.split()[:4] == [
        "mig.*:ci", "(mig.value_mig)", "passed", "fine"])  # fmt: skip
    assert bad < fine


def test_many_rules_that_passed_are_counted_and_none_that_failed() -> None:
    findings = [_finding("a:ci", f"x{i}", Judgement.PASSED) for i in range(MAX_LISTED + 5)]
    failed = [_finding("a:ci", f"y{i}", Judgement.MISSING) for i in range(MAX_LISTED + 5)]
    printed = _printed(reports.report(reports.results([]), findings=[*findings, *failed]))
    assert printed.count(" missing ") == MAX_LISTED + 5
    assert f"{MAX_LISTED + 5} more rules passed" in printed


def test_no_rule_and_no_name_is_cut_where_there_is_little_room() -> None:
    findings = [_finding("core.ce_loss_score:-0.01", "y" * 90, Judgement.REGRESSED)]
    printed = _printed(reports.report(reports.results([]), findings=findings), 60)
    assert "\N{HORIZONTAL ELLIPSIS}" not in printed
    assert printed.count("y") >= 90


def test_no_name_steers_the_terminal() -> None:
    name = Family("release", "a\x1b[31mred\r\u202eback\x00")
    printed = _printed(reports.report(reports.results(reports.readings(name))))
    assert "a\\x1b[31mred\\r\\u202eback\\x00" in printed
    assert not {"\x1b", "\r", "\u202e", "\x00"} & set(printed)


def test_what_looks_like_markup_is_printed_as_it_is() -> None:
    name = Family("[bold]r[/]", "[red]x[/red]")
    broken = [Broken(Path("[dim]a.json"), "[blink] is no JSON")]
    failed = reports.run(name, status="failed", problems=("[i]why[/i]",))
    results = reports.results(reports.readings(name), broken=broken, runs=[failed])
    printed = _printed(reports.report(results, warnings=["[u]w"]))
    for text in ("[bold]r[/] [red]x[/red]", "[i]why[/i]", "[dim]a.json: [blink]", "[u]w"):
        assert text in printed


def test_no_name_forges_a_line() -> None:
    name = Family("release", "a\nPassed: 9 rules passed.")
    failed = reports.run(name, status="failed", problems=("first\nPassed: second",))
    printed = _printed(reports.report(reports.results(reports.readings(name), runs=[failed])))
    assert not any(line.startswith("Passed") for line in printed.splitlines())
    assert "a\\nPassed: 9 rules" in printed
    assert "first Passed: second" in printed
