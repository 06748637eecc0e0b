"""csae_bench/comparison/gate.py."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from csae_bench.comparison.gate import RESULTS_ARE_THERE, RUNS_ARE_OK, exit_code, judge
from csae_bench.comparison.model import (
    Broken,
    Comparison,
    Family,
    Finding,
    Judgement,
    ResultSet,
    Verdict,
)
from csae_bench.comparison.policy import Policy, load_policy
from tests.unit.comparison.planted import RELEASE, readings, results, run

SAE = Family(RELEASE, "topk")
EMPTY = results()


def _row(metric: str, verdict: Verdict = Verdict.INCONCLUSIVE, **more: object) -> Comparison:
    fields = {"n_pairs": 5, "reasons": ("why",), "gates": True, **more}
    return Comparison(metric=metric, candidate=SAE, baseline=SAE, verdict=verdict, **fields)  # type: ignore[arg-type]


def _judgement(row: Comparison, rule: str, *, strict: bool = False) -> Judgement:
    policy = load_policy(None, [rule], strict=strict)
    (finding,) = judge([row], policy, EMPTY, EMPTY)
    assert finding.rule == rule
    return finding.judgement


@pytest.mark.parametrize(
    ("metric", "limit", "difference", "passes"),
    [
        ("core.ce_loss_score", "-0.01", -0.01, True),
        ("core.ce_loss_score", "-0.01", -0.011, False),
        ("core.ce_loss_score", "-0.01", 0.5, True),
        ("core.ce_loss_score", "0", -1e-9, False),
        ("core.ce_loss_score", "-0.01", 0.98 - 0.99, True),
        ("core.ce_loss_score", "-0.01", -0.0100001, False),
        ("core.corrected.mse", "0.1", 1.2 - 1.1, True),
        ("core.corrected.mse", "2", 2.0, True),
        ("core.corrected.mse", "2", 2.1, False),
        ("core.corrected.mse", "2", -9.0, True),
        ("core.l2_ratio", "0.1", 0.2, False),
        ("core.l2_ratio", "0.1", -0.2, True),
        ("core.l0", "2", -3.0, False),
        ("core.l0", "2", 1.0, True),
        ("core.ce_loss_score", "-0.01", math.nan, False),
        ("core.corrected.mse", "2", math.nan, False),
    ],
)
def test_a_number_judges_the_point_estimate_in_the_harmful_direction(
    metric: str, limit: str, difference: float, passes: bool
) -> None:
    result = _judgement(_row(metric, difference=difference), f"{metric}:{limit}")
    assert result is (Judgement.PASSED if passes else Judgement.REGRESSED)


@pytest.mark.parametrize(
    ("verdict", "judgement", "when_strict"),
    [
        (Verdict.BETTER, Judgement.PASSED, Judgement.PASSED),
        (Verdict.EQUIVALENT, Judgement.PASSED, Judgement.PASSED),
        (Verdict.WORSE, Judgement.REGRESSED, Judgement.REGRESSED),
        (Verdict.INCONCLUSIVE, Judgement.WARNED, Judgement.INCOMPARABLE),
    ],
)
def test_ci_judges_the_verdict(
    verdict: Verdict, judgement: Judgement, when_strict: Judgement
) -> None:
    row = _row("mig.value_mig", verdict)
    assert _judgement(row, "mig.value_mig:ci") is judgement
    assert _judgement(row, "mig.value_mig:ci", strict=True) is when_strict


@pytest.mark.parametrize("rule", ["mig.value_mig:ci", "mig.value_mig:-9"])
@pytest.mark.parametrize(
    ("verdict", "judgement"),
    [
        (Verdict.INVALID, Judgement.FAILED),
        (Verdict.MISSING, Judgement.MISSING),
        (Verdict.INCOMPARABLE, Judgement.INCOMPARABLE),
    ],
)
def test_missing_invalid_and_incomparable_never_pass(
    rule: str, verdict: Verdict, judgement: Judgement
) -> None:
    assert _judgement(_row("mig.value_mig", verdict), rule) is judgement


def test_fewer_pairs_than_the_policy_asks_for_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("seeds: 6\nrules: {mig.value_mig: -1}\n")
    (finding,) = judge([_row("mig.value_mig", difference=0.0)], load_policy(path, []), EMPTY, None)
    assert finding.judgement is Judgement.MISSING
    assert "asks for 6 pairs of seeds; there are 5" in finding.message


def test_a_rule_says_nothing_of_another_metric() -> None:
    policy = load_policy(None, ["mig.value_mig:ci"])
    rows = [_row("core.ce_loss_score", Verdict.WORSE), _row("mig.value_mig", Verdict.BETTER)]
    (finding,) = judge(rows, policy, EMPTY, EMPTY)
    assert finding.metric == "mig.value_mig"


def test_a_rule_that_judged_nothing_has_not_passed() -> None:
    policy = load_policy(None, ["mig.value_mig:ci"])
    (finding,) = judge([_row("core.ce_loss_score", Verdict.BETTER)], policy, EMPTY, EMPTY)
    assert finding.judgement is Judgement.MISSING
    assert "it was not applied" in finding.message


@pytest.mark.parametrize(
    ("rule", "of_baseline", "judgement"),
    [
        ("mig.*:ci", None, Judgement.WARNED),
        ("mig.*:ci", 0.5, Judgement.MISSING),
        ("mig.value_mig:ci", None, Judgement.MISSING),
    ],
)
def test_what_is_undefined_on_both_sides_is_missing_where_a_rule_names_it(
    rule: str, of_baseline: float | None, judgement: Judgement
) -> None:
    row = _row("mig.value_mig", Verdict.MISSING, difference=None)
    candidate = results(readings("topk", {"mig.value_mig": [None]}))
    baseline = results(readings("topk", {"mig.value_mig": [of_baseline]}))
    (finding,) = judge([row], load_policy(None, [rule]), candidate, baseline)
    assert finding.judgement is judgement


def _lacking_seeds() -> tuple[ResultSet, ResultSet]:
    return (
        results(readings("topk", {"mig.value_mig": [0.5]})),
        results(readings("topk", {"mig.value_mig": [0.5, 0.5, 0.5]})),
    )


@pytest.mark.parametrize("rule", ["mig.value_mig:ci", "mig.value_mig:-0.1"])
def test_what_passes_without_a_seed_of_the_baseline_is_a_warning(rule: str) -> None:
    candidate, baseline = _lacking_seeds()
    row = _row("mig.value_mig", Verdict.EQUIVALENT, difference=0.0, n_pairs=1)
    (finding,) = judge([row], load_policy(None, [rule]), candidate, baseline)
    assert finding.judgement is Judgement.WARNED
    assert finding.message.endswith("Only the baseline has seeds 1, 2.")
    (finding,) = judge([row], load_policy(None, [rule]), baseline, baseline)
    assert finding.judgement is Judgement.PASSED


def test_without_a_rule_a_lost_seed_is_said_once() -> None:
    candidate, baseline = _lacking_seeds()
    row = _row("mig.value_mig", Verdict.EQUIVALENT, n_pairs=1)
    (finding,) = judge([row, row], Policy(), candidate, baseline)
    assert (finding.rule, finding.judgement) == (RESULTS_ARE_THERE, Judgement.WARNED)


def test_without_a_rule_the_seeds_of_a_policy_count_all_the_same() -> None:
    candidate, baseline = _lacking_seeds()
    row = _row("mig.value_mig", Verdict.EQUIVALENT, n_pairs=1)
    (finding,) = judge([row], Policy(seeds=2, source="policy.yaml"), candidate, baseline)
    assert finding.judgement is Judgement.MISSING
    assert finding.message == "policy.yaml asks for 2 pairs of seeds; there is 1."


def test_an_eval_that_one_seed_lacks_is_missing() -> None:
    result = results(
        readings("topk", {"core.l0": [18.0, 18.0]}), readings("topk", {"mig.value_mig": [0.5]})
    )
    policy = Policy(evals=("core", "mig"), source="policy.yaml")
    (finding,) = judge([], policy, result, None)
    assert finding.judgement is Judgement.MISSING
    assert finding.message == "policy.yaml asks for results of mig; there are none of seed 1."


def test_failed_runs_invalid_saes_and_broken_files_are_findings_without_a_rule() -> None:
    result = results(
        readings("dead", {"core.l0": [0.0]}, invalid=("no latent is active",)),
        runs=[run("broke", "failed"), run("fine", "ok"), run("left", "skipped")],
    )
    broken = Broken(Path("core/x.json"), "core/x.json: is not JSON.")
    result = type(result)(
        root=result.root, readings=result.readings, runs=result.runs, broken=(broken,)
    )
    findings = judge([], Policy(), result, None)
    assert {finding.rule for finding in findings} == {RUNS_ARE_OK}
    assert [finding.candidate and finding.candidate.name for finding in findings] == [
        "broke",
        "dead",
        None,
    ]
    assert exit_code(findings) == 4


def test_an_invalid_sae_of_the_baseline_counts_where_it_is_compared() -> None:
    baseline = results(readings("dead", {"core.l0": [0.0]}, invalid=("it is dead",)))
    assert judge([], Policy(), EMPTY, baseline) == ()
    row = Comparison(
        metric="core.l0",
        candidate=SAE,
        baseline=Family(RELEASE, "dead"),
        verdict=Verdict.INVALID,
    )
    assert exit_code(judge([row], Policy(), EMPTY, baseline)) == 4


@pytest.mark.parametrize(
    ("judgements", "code"),
    [
        ((), 0),
        ((Judgement.PASSED, Judgement.WARNED), 0),
        ((Judgement.REGRESSED, Judgement.PASSED), 1),
        ((Judgement.REGRESSED, Judgement.INCOMPARABLE), 3),
        ((Judgement.INCOMPARABLE, Judgement.MISSING), 5),
        ((Judgement.MISSING, Judgement.FAILED, Judgement.REGRESSED), 4),
    ],
)
def test_the_gravest_finding_is_the_exit_code(judgements: tuple[Judgement, ...], code: int) -> None:
    findings = [
        Finding(rule="r", metric="m", candidate=SAE, judgement=judgement, message="")
        for judgement in judgements
    ]
    assert exit_code(findings) == code
