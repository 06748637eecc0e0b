"""Figures of what each SAE scored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from csae_bench.comparison.model import Family, Report
from csae_bench.comparison.outputs.html import html_page
from csae_bench.comparison.outputs.plots import write_plots
from csae_bench.comparison.outputs.standings import standings
from tests.unit.comparison.outputs import reports
from tests.unit.comparison.result_files import reading
from tests.unit.comparison.sparse_probing import sparse_probing

TOP_1 = "sparse_probing.sae_top_1_test_accuracy"


def _published(n: int = 15, **changes: object) -> Report:
    readings = [reading(sparse_probing(0.7 + i / 100, sae_id=f"sae_{i}")) for i in range(n)]
    report = reports.report(reports.results(readings))
    return replace(report, **changes)  # pyright: ignore[reportArgumentType]


def test_results_without_an_l0_have_a_figure_with_the_best_first() -> None:
    first, *_ = standings(_published(), drawn=())
    assert first.metric == TOP_1
    assert [row.name for row in first.rows[:2]] == ["sae_14", "sae_13"]


def test_the_main_figure_of_published_results_is_of_the_sae() -> None:
    page = html_page(_published())
    assert page.index("Sparse probing, top 1") < page.index("Values")
    assert "Probe on activations" not in page[: page.index("Values")]


def test_figures_are_written_of_them(tmp_path: Path) -> None:
    names = {path.name for path in write_plots(_published(), tmp_path)}
    assert f"values_{TOP_1}.png" in names
    assert not any("llm" in name for name in names)


def test_an_eval_that_another_figure_shows_has_none() -> None:
    assert standings(_published(), drawn={"sparse_probing.sae_top_5_test_accuracy"}) == ()


def test_a_metric_that_is_asked_for_has_one_unless_it_is_drawn() -> None:
    report = _published(shown_metrics=("sparse_probing.sae_top_[15]_*",))
    (figure,) = standings(report, drawn={TOP_1})
    assert figure.metric == "sparse_probing.sae_top_5_test_accuracy"


def test_a_single_sae_has_none() -> None:
    assert standings(_published(1), drawn=()) == ()


def test_of_a_metric_that_is_better_when_lower_the_lowest_is_first() -> None:
    groups = [
        [replace(r, values={"core.mse": value}) for r in reports.readings(Family("r", name))]
        for name, value in (("a", 2.0), ("b", 1.0))
    ]
    report = replace(reports.report(reports.results(*groups)), shown_metrics=("core.mse",))
    (figure,) = standings(report, drawn=())
    assert [row.name for row in figure.rows] == ["b", "a"]
