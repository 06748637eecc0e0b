"""csae_bench/comparison/comparing.py."""

from __future__ import annotations

import pytest

from csae_bench.comparison.comparisons import CompareOptions, compare
from csae_bench.comparison.model import Comparison, ResultSet, Verdict
from csae_bench.errors import UsageError
from tests.unit.comparison.planted import Values, readings, results, run

METRIC = "core.ce_loss_score"
OLD = {METRIC: [0.80, 0.82, 0.79, 0.81, 0.80]}
NEW = {METRIC: [0.71, 0.74, 0.70, 0.71, 0.71]}


def _only(candidate: ResultSet, baseline: ResultSet, **options: object) -> Comparison:
    (row,) = compare(candidate, baseline, CompareOptions(**options)).comparisons  # type: ignore[arg-type]
    return row


def _of(values: Values, **more: object) -> ResultSet:
    return results(readings("topk", values, **more))  # type: ignore[arg-type]


def test_seeds_are_paired_before_they_are_compared() -> None:
    shuffled = {METRIC: [NEW[METRIC][seed] for seed in (3, 1, 4, 0, 2)]}
    expected = _only(_of(NEW), _of(OLD))
    assert _only(_of(shuffled, seeds=[3, 1, 4, 0, 2]), _of(OLD)) == expected
    assert expected.verdict is Verdict.WORSE


def test_a_seed_that_one_side_lacks_is_left_out_and_said() -> None:
    comparison = _only(_of({METRIC: NEW[METRIC][:4]}), _of(OLD))
    assert comparison.n_pairs == 4
    assert "Only the baseline has seed 4." in comparison.reasons


def test_no_seed_in_common_is_missing() -> None:
    comparison = _only(_of(NEW, seeds=range(10, 15)), _of(OLD))
    assert comparison.verdict is Verdict.MISSING
    assert "No seed is in both." in comparison.reasons


def test_an_undefined_value_of_one_seed_is_missing_with_its_reason() -> None:
    comparison = _only(_of({METRIC: [*NEW[METRIC][:4], None]}), _of(OLD))
    assert comparison.verdict is Verdict.MISSING
    assert "no latent is active" in comparison.reasons[0]


def test_other_conditions_are_incomparable_with_both_values() -> None:
    comparison = _only(_of(NEW, conditions={"model": "x"}), _of(OLD, conditions={"model": "y"}))
    assert comparison.verdict is Verdict.INCOMPARABLE
    assert comparison.mismatches == {"model": ("x", "y")}
    assert comparison.difference is None


def test_an_allowed_mismatch_is_compared_and_still_said() -> None:
    sides = _of(NEW, conditions={"model": "x"}), _of(OLD, conditions={"model": "y"})
    comparison = compare(*sides, CompareOptions(allow_mismatch=True))
    assert comparison.allowed_mismatches == ("model",)
    assert comparison.comparisons[0].verdict is Verdict.WORSE
    assert any("--allow-mismatch" in reason for reason in comparison.comparisons[0].reasons)


def test_a_failed_seed_makes_the_comparison_invalid() -> None:
    broken = results(readings("topk", NEW), runs=[run("topk", "failed", seed=9)])
    comparison = _only(broken, _of(OLD))
    assert comparison.verdict is Verdict.INVALID
    assert "topk_seed9: failed: it is failed" in comparison.reasons


def test_an_invalid_baseline_is_invalid_too() -> None:
    comparison = _only(_of(NEW), _of(OLD, invalid=("L0 is 0: no latent is active",)))
    assert comparison.verdict is Verdict.INVALID


def test_an_eval_that_the_candidate_lacks_is_missing() -> None:
    both = _of({**OLD, "mig.value_mig": [0.4] * 5})
    rows = compare(_of(NEW), both, CompareOptions()).comparisons
    assert {r.metric: r.verdict for r in rows} == {
        METRIC: Verdict.WORSE,
        "mig.value_mig": Verdict.MISSING,
    }


def test_what_only_accompanies_a_score_is_compared_where_a_rule_names_it() -> None:
    values = {**OLD, "core.total_tokens_eval_reconstruction": [1.0] * 5}
    (row,) = compare(_of(values), _of(values), CompareOptions()).comparisons
    assert row.metric == METRIC
    rows = compare(_of(values), _of(values), CompareOptions(gates=lambda _: True)).comparisons
    assert len(rows) == 2


def test_seeds_are_no_news_where_a_side_has_nothing() -> None:
    both = _of({**OLD, "mig.value_mig": [0.4] * 5})
    rows = compare(_of(NEW), both, CompareOptions()).comparisons
    (missing,) = (row for row in rows if row.verdict is Verdict.MISSING)
    assert missing.reasons == ("The candidate has no result of the eval mig.",)


def test_a_margin_of_the_policy_replaces_the_registrys() -> None:
    comparison = _only(_of(NEW), _of(OLD), margins={"core.*": 0.2})
    assert (comparison.margin, comparison.verdict) == (0.2, Verdict.EQUIVALENT)


def test_against_is_for_one_folder() -> None:
    with pytest.raises(UsageError, match="leave it out"):
        compare(_of(NEW), _of(OLD), CompareOptions(against="topk"))


def test_a_metric_that_no_row_knows_is_shown_and_never_judged() -> None:
    values = {"their_eval.their_score": [0.1, 0.2, 0.3]}
    comparison = _only(_of({"their_eval.their_score": [0.5, 0.7, 0.6]}), _of(values))
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.difference == pytest.approx(0.4)
    assert not comparison.gates
