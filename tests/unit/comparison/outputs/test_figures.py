"""What the figures show, as data."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csae_bench.comparison.model import Family, Verdict
from csae_bench.comparison.outputs.figures import axis, forests, paretos, row_name
from tests.unit.comparison.outputs import reports

FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)


def _family(k: int) -> Family:
    return Family(reports.RELEASE, f"topk_k{k}")


L0 = [8.0, 16.0, 64.0]


def test_families_of_one_curve_are_joined_by_their_means() -> None:
    groups = [reports.readings(_family(int(l0)), l0=l0, curve="topk") for l0 in L0]
    figure = paretos(reports.report(reports.results(*groups)))[0]
    (curve,) = figure.curves
    assert figure.metric == "core.ce_loss_score"
    assert len(curve.points) == 15
    # the noise of a seed's L0 is .2, of the mean of five .09
    assert [l0 for l0, _ in curve.means] == pytest.approx(L0, abs=0.4)


def test_a_wide_range_of_l0_has_a_log_scale_and_a_narrow_one_has_not() -> None:
    wide = [reports.readings(_family(int(l0)), l0=l0, curve="topk") for l0 in L0]
    narrow = reports.readings(reports.CUSTOM)
    assert paretos(reports.report(reports.results(*wide)))[0].x.is_log
    assert not paretos(reports.report(reports.results(narrow)))[0].x.is_log


def test_a_curve_of_one_family_has_its_name() -> None:
    results = reports.results(reports.readings(reports.CUSTOM, curve="release topk d_sae=9 0a1b"))
    assert paretos(reports.report(results))[0].curves[0].name == "custom_sae"


def test_invalid_saes_are_counted_instead_of_drawn() -> None:
    dead = reports.readings(reports.TOPK, seeds=(0, 1), invalid=("dead",))
    figure = paretos(reports.report(reports.results(reports.readings(reports.CUSTOM), dead)))[0]
    assert figure.n_left_out == 2
    assert [curve.name for curve in figure.curves] == ["custom_sae"]


def test_upstreams_explained_variance_is_drawn_where_nobody_has_the_corrected_one() -> None:
    published = [
        replace(r, values={k: v for k, v in r.values.items() if "corrected" not in k})
        for r in reports.readings(reports.CUSTOM)
    ]
    metrics = [figure.metric for figure in paretos(reports.report(reports.results(published)))]
    assert metrics == ["core.ce_loss_score", "core.explained_variance", "mig.value_mig"]


def test_baselines_are_distinguished_from_candidates() -> None:
    figure = paretos(
        reports.report(
            reports.results(reports.readings(reports.CUSTOM)),
            reports.results(reports.readings(reports.CUSTOM), root="baseline"),
        )
    )[0]
    assert [curve.is_baseline for curve in figure.curves] == [False, True]


def test_nothing_is_drawn_of_results_without_l0() -> None:
    assert paretos(reports.report(reports.results(runs=[reports.run(reports.CUSTOM)]))) == ()


def test_a_forest_holds_all_intervals_and_zero() -> None:
    for figure in forests(reports.every_verdict().comparisons):
        for row in figure.rows:
            assert row.interval is not None
            assert figure.x.low <= min(0.0, row.interval.low)
            assert figure.x.high >= max(0.0, row.interval.high)


def test_a_forest_counts_what_has_no_difference() -> None:
    by_name = {
        f.metric: (len(f.rows), f.n_without) for f in forests(reports.every_verdict().comparisons)
    }
    assert by_name["core.ce_loss_score"] == (1, 1)
    assert "mig.mig" not in by_name


def test_a_metric_at_several_l0_has_one_forest() -> None:
    rows = [
        reports.comparison(f"core.ce_loss_score@l0={l0}", Verdict.BETTER, 0.1) for l0 in (16, 32)
    ]
    (figure,) = forests(rows)
    assert figure.title == "CE loss score"
    assert [row_name(row, {reports.RELEASE}) for row in figure.rows] == [
        "custom_sae at L0 16",
        "custom_sae at L0 32",
    ]


def test_regressions_come_first_in_a_forest() -> None:
    rows = [
        reports.comparison("core.l0", verdict, 0.1)
        for verdict in (Verdict.INCONCLUSIVE, Verdict.BETTER, Verdict.EQUIVALENT, Verdict.WORSE)
    ]
    (figure,) = forests(rows)
    assert [row.verdict for row in figure.rows] == [
        Verdict.WORSE,
        Verdict.BETTER,
        Verdict.EQUIVALENT,
        Verdict.INCONCLUSIVE,
    ]


@given(st.lists(FINITE, min_size=1, max_size=20))
def test_an_axis_holds_any_values(values: list[float]) -> None:
    scale = axis(values)
    assert scale.low < scale.high
    assert all(-1e-9 <= scale.place(value) <= 1 + 1e-9 for value in values)
    assert all(scale.low <= tick <= scale.high for tick in scale.ticks)


@given(st.lists(st.floats(0.01, 1e5), min_size=2, max_size=20))
def test_a_log_axis_holds_any_positive_values(values: list[float]) -> None:
    scale = axis([*values, max(values) * 5], is_log=True)
    assert all(0 <= scale.place(value) <= 1 for value in values)


def test_the_first_score_of_every_eval_is_drawn_against_l0_and_the_models_is_not() -> None:
    probes = {
        "sparse_probing.llm_top_1_test_accuracy": 0.6,
        "sparse_probing.sae_top_1_test_accuracy": 0.7,
        "sparse_probing.sae_top_2_test_accuracy": 0.8,
    }
    core = reports.readings(reports.CUSTOM, seeds=(0,))[0]
    probed = replace(core, eval_name="sparse_probing", values=probes)
    metrics = [f.metric for f in paretos(reports.report(reports.results([core, probed])))]
    assert metrics == [
        "core.ce_loss_score",
        "core.corrected.explained_variance",
        "sparse_probing.sae_top_1_test_accuracy",
    ]


def test_what_is_asked_for_is_drawn_against_l0() -> None:
    report = reports.report(reports.results(reports.readings(reports.CUSTOM)))
    asked = replace(report, shown_metrics=("core.l0", "core.mse", "mig.mig*"))
    assert [f.metric for f in paretos(asked)] == ["core.mse", "mig.mig", "mig.mig_sup"]
