"""The figures as files, and the runs of an experiment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from PIL import Image

from csae_bench.comparison.model import Family, RunReading, Verdict
from csae_bench.comparison.outputs.experiment import LOSS, SIZE, STEPS, draw_experiment
from csae_bench.comparison.outputs.plots import EXPERIMENT, write_plots
from csae_bench.errors import UsageError
from tests.unit.comparison.outputs import reports

FAILED = reports.run(Family("r", "bad"), status="failed", planned_steps=0, executed_steps=0,
                     final_loss=None, problems=("0 steps",))  # fmt: skip
NEVER_RAN = replace(FAILED, sae_id="never", planned_steps=None, executed_steps=None, d_sae=None,
                    learning_rate=None, sparsity=None)  # fmt: skip
GOOD = reports.run(reports.CUSTOM)


def _axes(*runs: RunReading) -> list[Axes]:
    return draw_experiment(runs).axes


def _texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_pareto_and_forest_and_experiment_are_written_as_png_and_svg(tmp_path: Path) -> None:
    paths = write_plots(reports.every_verdict(), tmp_path)
    assert sorted(path.name for path in paths) == sorted(p.name for p in tmp_path.iterdir())
    assert {path.name for path in paths} >= {
        "pareto_core.ce_loss_score.png",
        "pareto_mig.value_mig.svg",
        "forest_core.ce_loss_score.svg",
        EXPERIMENT,
    }
    with Image.open(tmp_path / EXPERIMENT) as image:
        assert min(image.size) > 600


@pytest.mark.slow
def test_equal_reports_give_equal_files_whatever_the_process_did_to_matplotlib(
    tmp_path: Path,
) -> None:
    report = reports.every_verdict()
    first = [path.read_bytes() for path in write_plots(report, tmp_path / "a")]
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": "other"}):
        second = [path.read_bytes() for path in write_plots(report, tmp_path / "b")]
    assert first == second


def test_matplotlibs_settings_are_left_as_they_were(tmp_path: Path) -> None:
    with mpl.rc_context({"font.size": 13}):
        write_plots(reports.five_good_runs(), tmp_path)
        assert mpl.rcParams["font.size"] == 13


def test_names_that_look_like_mathematics_are_drawn(tmp_path: Path) -> None:
    odd = Family("a$b", "x$^{")
    results = reports.results(reports.readings(odd), runs=[reports.run(odd)])
    row = reports.comparison("core.l0", Verdict.WORSE, 0.1, candidate=odd)
    assert len(write_plots(reports.report(results, comparisons=[row]), tmp_path)) == 9


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_plots(reports.five_good_runs(), tmp_path / "file")


def test_nothing_is_written_of_an_empty_report(tmp_path: Path) -> None:
    assert write_plots(reports.report(reports.results()), tmp_path / "plots") == []


def test_the_subplots_have_the_original_experiments_titles_and_colours() -> None:
    steps, loss, size, settings = _axes(GOOD)
    titles = [axes.get_title() or axes.get_title(loc="left") for axes in _axes(GOOD)]
    assert titles == [
        "Training steps completed", "Final loss", "Dictionary size", "Hyperparameters",
    ]  # fmt: skip
    for axes, colour in ((steps, STEPS), (loss, LOSS), (size, SIZE)):
        (bar,) = axes.patches
        assert bar.get_facecolor() == to_rgba(colour)
    assert [line.get_marker() for line in settings.lines] == ["o", "s"]


def test_a_failed_run_has_a_cross_and_its_status_instead_of_a_bar_of_zero() -> None:
    for axes in _axes(GOOD, FAILED)[:2]:
        assert "failed" in _texts(axes)
        assert "0" not in _texts(axes)
        crosses = [line for line in axes.lines if line.get_marker() == "x"]
        assert [list(cross.get_xdata()) for cross in crosses] == [[1]]


def test_what_a_failed_run_did_is_drawn_hatched_beside_what_was_planned() -> None:
    half = replace(FAILED, planned_steps=800, executed_steps=300)
    steps = _axes(half)[0]
    (bar,) = [patch for patch in steps.patches if patch.get_height() == 300]
    assert bar.get_hatch()
    assert "planned 800" in _texts(steps)


def test_what_is_not_known_says_so() -> None:
    _, _, size, settings = _axes(GOOD, NEVER_RAN)
    assert "not known" in _texts(size)
    assert "not known" in _texts(settings)
    assert np.isnan(settings.lines[0].get_ydata()[1])


def test_a_run_that_trains_nothing_says_so() -> None:
    pca = reports.run(Family("r", "pca"), cells={"training": "skipped"}, planned_steps=None,
                      executed_steps=None, final_loss=None, learning_rate=None)  # fmt: skip
    assert _texts(_axes(pca)[0]) == ["not trained"]


def test_a_penalty_of_zero_can_be_drawn() -> None:
    settings = _axes(replace(GOOD, sparsity=0.0))[3]
    assert settings.get_yscale() == "symlog"


@pytest.mark.parametrize("n", [1, 60])
def test_any_number_of_runs_can_be_drawn(n: int, tmp_path: Path) -> None:
    runs = [replace(GOOD, sae_id=f"a_long_name_of_run_{i}") for i in range(n)]
    write_plots(reports.report(reports.results(runs=runs)), tmp_path)
    assert (tmp_path / EXPERIMENT).stat().st_size > 10_000  # an empty figure has less


@pytest.mark.parametrize("name", ["模型_14", "हिन्दी", "a\x1b[31m", "x" * 3000, "a\nb"])
def test_any_name_is_drawn_without_a_warning(
    name: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    odd = Family(name, name)
    results = reports.results(reports.readings(odd), runs=[reports.run(odd)] * 3)
    row = reports.comparison("core.l0", Verdict.WORSE, 0.1, candidate=odd)
    paths = write_plots(reports.report(results, comparisons=[row], allowed=(name,)), tmp_path)
    for path in paths:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert max(image.size) < 4000
    assert [str(warning.message) for warning in recwarn] == []


def test_metrics_of_like_names_have_files_of_their_own(tmp_path: Path) -> None:
    rows = [
        reports.comparison(metric, Verdict.WORSE, 0.1)
        for metric in ("core.a/b", "core.a b", f"core.{'x' * 500}")
    ]
    report = replace(reports.five_good_runs(), comparisons=tuple(rows), shown_metrics=("core.*",))
    forests = [p.name for p in write_plots(report, tmp_path) if p.name.startswith("forest")]
    assert len(set(forests)) == 6
