"""Which metrics are shown, and in which order."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from csae_bench.comparison.metrics import METRICS, lookup
from csae_bench.comparison.model import Family, Reading, Report, Verdict
from csae_bench.comparison.outputs import selection
from csae_bench.comparison.ranking import rank
from tests.unit.comparison.outputs import reports
from tests.unit.comparison.result_files import reading
from tests.unit.comparison.sparse_probing import sparse_probing

ORDERED = {
    "sparse_probing": [
        *(f"sparse_probing.sae_top_{k}_test_accuracy" for k in (1, 2, 5, 10, 20, 50, 100)),
        "sparse_probing.sae_test_accuracy",
        "sparse_probing.llm_test_accuracy",
        *(f"sparse_probing.llm_top_{k}_test_accuracy" for k in (1, 2, 5, 10, 20, 50, 100)),
    ],
    "sparse_probing by category": [
        "sparse_probing.sae.sae_top_1_test_accuracy",
        "sparse_probing.sae.sae_top_2_test_accuracy",
        "sparse_probing.sae.sae_test_accuracy",
        "sparse_probing.llm.llm_top_1_test_accuracy",
    ],
    "scr": [
        *(f"scr.scr_metric_threshold_{n}" for n in (2, 5, 10, 20, 50, 100, 500)),
        *(f"scr.scr_dir1_threshold_{n}" for n in (2, 10, 500)),
    ],
    "tpp": [
        *(f"tpp.tpp_threshold_{n}_total_metric" for n in (2, 5, 10, 20, 50, 100, 500)),
        "tpp.tpp_threshold_2_intended_diff_only",
    ],
    "absorption": [
        "absorption_first_letter.mean_absorption_fraction_score",
        "absorption_first_letter.mean_full_absorption_score",
        "absorption_first_letter.mean_num_split_features",
        "absorption_first_letter.std_dev_absorption_fraction_score",
    ],
    "places on a curve": [
        "core.ce_loss_score",
        *(f"core.ce_loss_score@l0={l0}" for l0 in ("8", "8.25", "8.5", "16", "120")),
        "core.l0",
    ],
    "numbers beyond int": ["new.top_1", f"new.top_{'9' * 5000}", f"new.top_1{'0' * 5000}"],
}


@pytest.mark.parametrize("ordered", ORDERED.values(), ids=ORDERED)
def test_metrics_are_listed_in_the_order_of_the_registry(ordered: list[str]) -> None:
    shuffled = list(ordered)
    random.Random(0).shuffle(shuffled)
    assert selection.in_order(shuffled) == ordered


def test_the_rank_of_a_metric_is_the_place_of_the_row_that_it_has() -> None:
    # of evals that no page has, which is where the registry's own rows are read
    for name in ("sparse_probing_2.sae_top_1_test_accuracy", "absorption_2.mean_absorption_score"):
        row = METRICS[rank(name)[0]]
        assert lookup(name) == replace(row, name=name, title=lookup(name).title)


def _report(*readings: Reading, metrics: tuple[str, ...] = ()) -> Report:
    return replace(reports.report(reports.results(readings)), shown_metrics=metrics)


def test_of_a_published_result_the_saes_probes_are_shown() -> None:
    published = reading(sparse_probing(0.7))
    assert selection.first(_report(published), published.values) == [
        "sparse_probing.sae_top_1_test_accuracy",
        "sparse_probing.sae_top_2_test_accuracy",
    ]


def test_what_has_a_value_comes_before_what_has_none() -> None:
    published = reading(sparse_probing(0.7, ks=(20, 100)))
    assert selection.first(_report(published), published.values) == [
        "sparse_probing.sae_top_20_test_accuracy",
        "sparse_probing.sae_top_100_test_accuracy",
    ]


def test_a_metric_that_any_result_has_a_value_of_keeps_its_place() -> None:
    both = [reading(sparse_probing(0.7, ks=ks)) for ks in ((1,), (2, 5))]
    assert selection.first(_report(*both), both[0].values) == [
        "sparse_probing.sae_top_1_test_accuracy",
        "sparse_probing.sae_top_2_test_accuracy",
    ]


def test_globs_choose_the_metrics_and_not_the_headlines() -> None:
    published = reading(sparse_probing(0.7))
    report = _report(published, metrics=("sparse_probing.llm_*_1_*", "sparse_probing.sae_test_*"))
    assert selection.first(report, published.values) == [
        "sparse_probing.sae_test_accuracy",
        "sparse_probing.llm_top_1_test_accuracy",
    ]


def test_globs_choose_among_comparisons_whatever_a_rule_looks_at() -> None:
    rows = [
        reports.comparison(metric, Verdict.WORSE, 0.1)
        for metric in ("core.l0", "core.ce_loss_score@l0=18", "core.mse")
    ]
    report = replace(
        reports.every_verdict(), comparisons=tuple(rows), shown_metrics=("core.ce_*", "core.mse")
    )
    assert selection.shown(report) == ["core.ce_loss_score@l0=18", "core.mse"]


def test_in_a_pair_what_was_not_measured_comes_last_of_its_eval() -> None:
    rows = [
        reports.comparison("mig.value_mig", Verdict.UNMEASURED, 0, difference=None),
        reports.comparison("mig.mig", Verdict.WORSE, 0.1),
        reports.comparison("zeta.new", Verdict.WORSE, 0.1),
    ]
    (pair,) = selection.pairs(rows).values()
    assert [row.metric for row in pair] == ["mig.mig", "mig.value_mig", "zeta.new"]


def test_families_do_not_mix() -> None:
    rows = [
        reports.comparison("core.l0", Verdict.WORSE, 0.1, candidate=Family("r", name))
        for name in ("b", "a")
    ]
    assert [pair[0].name for pair in selection.pairs(rows)] == ["a", "b"]
