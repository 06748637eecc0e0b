"""csae_bench/comparison/l0_matched.py."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csae_bench.comparison.comparisons import CompareOptions, compare
from csae_bench.comparison.l0_matched import AT_L0, at_l0, overlap
from csae_bench.comparison.metrics import SD_MODEL, lookup
from csae_bench.comparison.model import Comparison, Reading, Report, ResultSet, Verdict
from csae_bench.comparison.outputs.selection import shown
from tests.unit.comparison.planted import readings, results

METRIC = "core.ce_loss_score"
N_SEEDS = 5


def _curve(
    name: str,
    l0s: tuple[float, ...],
    lead: float = 0.0,
    *,
    invalid_at: float | None = None,
    model: str = "tiny",
) -> list[list[Reading]]:
    """SAEs of one curve, whose score is lead + .1 log L0, and a little of each seed's own."""
    return [
        readings(
            f"{name}-k{l0:g}",
            {
                "core.l0": [l0] * N_SEEDS,
                METRIC: [lead + 0.1 * math.log(l0) + 0.001 * seed for seed in range(N_SEEDS)],
            },
            curve=name,
            conditions={"model": model},
            invalid=("it is dead",) if l0 == invalid_at else (),
        )
        for l0 in l0s
    ]  # fmt: skip


def _at_l0(
    candidate: ResultSet, baseline: ResultSet | None = None, **options: bool
) -> list[Comparison]:
    rows = compare(candidate, baseline, CompareOptions(**options)).comparisons
    return [row for row in rows if AT_L0 in row.metric]


def test_a_curve_that_is_straight_in_log_l0_is_read_exactly() -> None:
    points = [(8.0, math.log(8)), (16.0, math.log(16)), (64.0, math.log(64))]
    assert at_l0(points, 30.0) == pytest.approx(math.log(30), abs=1e-12)


rising = st.lists(
    st.tuples(st.floats(0.1, 1e4), st.floats(-1e3, 1e3)), min_size=2, max_size=8,
    # nearer points than this differ by rounding in log L0
    unique_by=lambda point: round(math.log(point[0]), 3),
).map(sorted)  # fmt: skip


@given(rising, st.floats(0, 1))
def test_a_curve_never_leaves_the_values_at_its_two_neighbours(
    points: list[tuple[float, float]], share: float
) -> None:
    (left, a), (right, b) = points[0], points[1]
    l0 = min(max(left + share * (right - left), left), right)
    result = at_l0(points, l0)
    # rounding of values of up to 1000
    assert min(a, b) - 1e-6 <= result <= max(a, b) + 1e-6


@pytest.mark.parametrize("l0", [7.9, 64.1])
def test_beyond_a_curve_there_is_no_value(l0: float) -> None:
    with pytest.raises(ValueError, match="not within"):
        at_l0([(8.0, 1.0), (64.0, 2.0)], l0)


def test_the_overlap_is_where_all_curves_are() -> None:
    first, second = [(8.0, 0.0), (32.0, 0.0)], [(16.0, 0.0), (64.0, 0.0)]
    assert overlap([first, second]) == (16.0, 32.0)
    assert overlap([first, [(33.0, 0.0), (64.0, 0.0)]]) is None


def test_curves_with_no_common_l0_are_compared_at_equal_l0() -> None:
    rows = _at_l0(
        results(*_curve("ours", (10, 20, 40), lead=0.05)),
        results(*_curve("theirs", (8, 16, 32))),
    )
    assert [row.metric for row in rows] == [f"{METRIC}@l0=16", f"{METRIC}@l0=32"]
    for row in rows:
        assert row.difference == pytest.approx(0.05, abs=1e-12)
        assert row.verdict is Verdict.BETTER
        assert (row.candidate.name, row.baseline.name) == ("ours", "theirs")
        assert row.n_pairs == N_SEEDS
        assert not row.gates


def test_at_unequal_l0_the_same_curve_is_no_gain() -> None:
    same = _at_l0(results(*_curve("ours", (10, 40))), results(*_curve("theirs", (8, 16, 32))))
    assert {row.verdict for row in same} == {Verdict.EQUIVALENT}


def test_without_an_l0_of_the_baseline_in_the_overlap_its_middle_is_used() -> None:
    (row,) = _at_l0(results(*_curve("ours", (10, 40))), results(*_curve("theirs", (8, 50))))
    assert row.metric == f"{METRIC}@l0=20"


@pytest.mark.parametrize("l0s", [(100.0, 200.0), (16.0,)])
def test_without_an_overlap_or_a_second_point_there_is_no_comparison(
    l0s: tuple[float, ...],
) -> None:
    assert _at_l0(results(*_curve("ours", l0s)), results(*_curve("theirs", (8, 32)))) == []


def test_an_invalid_sae_is_no_point_of_a_curve() -> None:
    ours = results(*_curve("ours", (10, 20, 40), invalid_at=40))
    rows = _at_l0(ours, results(*_curve("theirs", (8, 16, 32))))
    assert [row.metric for row in rows] == [f"{METRIC}@l0=16"]


def test_curves_of_one_folder_are_compared_with_each_other() -> None:
    both = results(*_curve("a", (8, 16, 32, 64)), *_curve("b", (10, 20, 40, 60), lead=0.05))
    rows = _at_l0(both)
    assert {(row.candidate.name, row.baseline.name) for row in rows} == {("b", "a")}


def test_curves_measured_under_other_conditions_are_incomparable() -> None:
    sides = (
        results(*_curve("ours", (10, 40), model="x")),
        results(*_curve("theirs", (8, 16, 32), model="y")),
    )
    assert {row.verdict for row in _at_l0(*sides)} == {Verdict.INCOMPARABLE}
    allowed = _at_l0(*sides, allow_mismatch=True)
    assert {row.verdict for row in allowed} == {Verdict.EQUIVALENT}


def test_a_metric_at_an_l0_has_the_row_of_the_metric_and_does_not_gate() -> None:
    plain, at = lookup(METRIC), lookup(f"{METRIC}@l0=16")
    assert (at.direction, at.margin) == (plain.direction, plain.margin)
    assert at.title == f"{plain.title} at l0=16"
    assert plain.may_gate
    assert not at.may_gate


def test_a_metric_at_an_l0_is_shown_where_the_metric_is() -> None:
    candidate = results(*_curve("ours", (10, 40)))
    rows = _at_l0(candidate, results(*_curve("theirs", (8, 16, 32))))
    report = Report(
        candidate=candidate,
        baseline=None,
        comparisons=tuple(rows),
        findings=(),
        warnings=(),
        allowed_mismatches=(),
        exit_code=0,
        alpha=0.05,
    )
    assert shown(report) == [f"{METRIC}@l0=16", f"{METRIC}@l0=32"]


def test_curves_whose_names_have_the_same_in_common_are_told_apart() -> None:
    plain, changed = ("a", "a-x", "a-y"), ("a-z", "a-w")
    sets = [
        readings(name, {"core.l0": [l0], METRIC: [0.1]}, curve=curve)
        for curve, names in (("plain", plain), ("changed", changed))
        for name, l0 in zip(names, (8.0, 16.0, 32.0), strict=False)
    ]
    (row,) = {(r.candidate.name, r.baseline.name) for r in _at_l0(results(*sets))}
    assert set(row) == {"a and 2 more", "a-w and 1 more"}


def _one_seed(model: str) -> list[list[Reading]]:
    return [[of[0]] for of in (*_curve("ours", (10, 20), 0.05, model=model),
                               *_curve("theirs", (10, 20), model=model))]  # fmt: skip


def test_one_seed_of_another_model_has_no_verdict_at_equal_l0_either() -> None:
    (*_, row) = _at_l0(results(*_one_seed("google/gemma-2-2b")))
    assert row.verdict is Verdict.INCONCLUSIVE
    (*_, row) = _at_l0(results(*_one_seed(SD_MODEL)))
    assert row.verdict in (Verdict.BETTER, Verdict.WORSE)


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_single_sae_measured_otherwise_makes_its_curve_incomparable(side: str) -> None:
    curves = {name: _curve(name, (10, 20, 40)) for name in ("ours", "theirs")}
    curves[side][2] = _curve(side, (40,), model="another")[0]
    rows = _at_l0(results(*curves["ours"], *curves["theirs"]))
    assert rows
    assert {row.verdict for row in rows} == {Verdict.INCOMPARABLE}
    assert all("model" in row.mismatches for row in rows)


def test_results_at_l0s_that_were_measured_otherwise_are_incomparable() -> None:
    def curve(name: str, context_size: int) -> list[list[Reading]]:
        return [
            [replace(r, conditions={**r.conditions, "context_size": context_size})
             if r.eval_name == "core" else r for r in of]
            for of in (
                readings(f"{name}-k{k}", {"core.l0": [k] * 3, "mig.value_mig": [0.1, 0.2, 0.3]},
                         curve=name)
                for k in (10, 20)
            )
        ]  # fmt: skip

    rows = _at_l0(results(*curve("ours", 128), *curve("theirs", 64)))
    assert {(row.verdict, *row.mismatches) for row in rows} == {
        (Verdict.INCOMPARABLE, "context_size")
    }
