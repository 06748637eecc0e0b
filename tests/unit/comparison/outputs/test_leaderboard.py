"""csae_bench/comparison/outputs/leaderboard.py and best_of.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from csae_bench.comparison.model import Family, Reading
from csae_bench.comparison.outputs.best_of import Basis, Mark
from csae_bench.comparison.outputs.leaderboard import Leaderboard, leaderboards
from tests.unit.comparison.outputs import reports
from tests.unit.comparison.outputs.published import published

SCORE = "mig.value_mig"


def _family(name: str) -> Family:
    return Family(reports.RELEASE, name)


def _readings(
    name: str, scores: Mapping[int, float], metric: str = SCORE, **changes: object
) -> list[Reading]:
    """A result of each seed."""
    made = reports.readings(_family(name), seeds=tuple(scores))
    eval_name = metric.partition(".")[0]
    return [
        replace(r, values={metric: scores[r.seed or 0]}, **changes)  # pyright: ignore[reportArgumentType]
        for r in made if r.eval_name == eval_name
    ]  # fmt: skip


def _board(*groups: list[Reading], **changes: object) -> Leaderboard:
    report = reports.report(reports.results(*groups))
    (board,) = leaderboards(replace(report, **changes))  # pyright: ignore[reportArgumentType]
    return board


def _marks(board: Leaderboard) -> dict[str, Mark]:
    return {row.name: row.cells[0].mark for row in board.rows}


def test_the_best_is_marked_and_so_is_who_is_within_its_noise() -> None:
    board = _board(
        _readings("best", {0: 0.50, 1: 0.54, 2: 0.58}),
        _readings("near", {0: 0.55, 1: 0.50, 2: 0.54}),
        _readings("worse", {0: 0.10, 1: 0.14, 2: 0.17}),
    )
    assert _marks(board) == {"best": Mark.BEST, "near": Mark.NEAR, "worse": Mark.NONE}
    assert board.basis == {Basis.TEST}


def test_the_first_of_single_seeds_is_not_called_the_best() -> None:
    model = {"conditions": {"model": "gemma-2-2b", "hook_name": "h"}}
    board = _board(_readings("a", {0: 0.5}, **model), _readings("b", {0: 0.4}, **model))
    assert _marks(board) == {"a": Mark.FIRST, "b": Mark.NONE}
    assert board.basis == {Basis.UNKNOWN}


@pytest.mark.parametrize(("low", "mark"), [(0.44, Mark.NEAR), (0.46, Mark.NONE)])
def test_intervals_of_the_eval_count_where_no_seed_does(low: float, mark: Mark) -> None:
    conditions = {"model": "gemma-2-2b", "hook_name": "h"}

    def of(name: str, value: float, ends: tuple[float, float]) -> list[Reading]:
        (made,) = _readings(name, {0: value}, conditions=conditions)
        return [replace(made, values={**made.values, f"{SCORE}_low": ends[0],
                                      f"{SCORE}_high": ends[1]})]  # fmt: skip

    board = _board(of("a", 0.5, (low, 0.55)), of("b", 0.4, (0.35, 0.45)))
    assert _marks(board) == {"a": Mark.BEST, "b": mark}
    assert board.basis == {Basis.INTERVALS}


def test_what_the_seeds_of_the_eval_make_is_within_the_noise() -> None:
    conditions = {"model": "gemma-2-2b", "hook_name": "h"}
    repeated = {"sd_of_eval": {SCORE: 0.05}, "conditions": conditions}
    board = _board(_readings("a", {0: 0.50}, **repeated), _readings("b", {0: 0.45}, **repeated))
    assert _marks(board) == {"a": Mark.BEST, "b": Mark.NEAR}


def test_lower_is_better_where_the_metric_says_so() -> None:
    metric = "absorption_first_letter.mean_absorption_fraction_score"
    made = [
        replace(reading, eval_name="absorption_first_letter", values={metric: value})
        for name, value in (("a", 0.3), ("b", 0.1))
        for reading in _readings(name, {0: 0.0})
    ]
    board = _board(made)
    assert [row.name for row in board.rows] == ["b", "a"]
    assert board.rows[0].cells[0].mark is not Mark.NONE


def test_who_was_measured_under_other_conditions_takes_no_part() -> None:
    same = {"model": "tiny-gemma2-it", "hook_name": "h", "dtype": "float32"}
    board = _board(
        _readings("a", {0: 0.5}, conditions=same),
        _readings("b", {0: 0.4}, conditions=same),
        _readings("c", {0: 0.9}, conditions={**same, "dtype": "bfloat16"}),
    )
    assert _marks(board)["c"] is Mark.APART
    (cell,) = next(row.cells for row in board.rows if row.name == "c")
    assert cell.why == "dtype"
    assert _marks(board)["a"] in (Mark.BEST, Mark.FIRST)


def test_a_ceiling_is_told_apart_and_does_not_win() -> None:
    board = _board(
        _readings("oracle", {0: 1.0}, architecture="oracle"),
        _readings("a", {0: 0.5}),
        _readings("b", {0: 0.1}),
    )
    assert [row.name for row in board.rows] == ["a", "b"]
    row = next(row for row in board.references if row.name == "oracle")
    assert row.about == "ceiling"
    assert row.cells[0].mark is Mark.NONE


def test_every_model_and_hook_has_a_leaderboard_of_its_own() -> None:
    other = {"model": "pythia-70m", "hook_name": "blocks.3.hook_resid_post"}
    report = reports.report(
        reports.results(_readings("a", {0: 0.5}), _readings("b", {0: 0.1}, conditions=other))
    )
    assert [board.subject for board in leaderboards(report)] == [
        "tiny-gemma2-it, blocks.2.hook_resid_post", "pythia-70m, blocks.3.hook_resid_post",
    ]  # fmt: skip


def test_an_invalid_sae_has_a_row_without_scores() -> None:
    dead = reports.readings(_family("dead"), seeds=(0,), invalid=("L0 is 0",))
    board = _board(_readings("a", {0: 0.5}), _readings("b", {0: 0.4}), dead)
    row = next(row for row in board.rows if row.name == "dead")
    assert row.status == "invalid"
    assert {(cell.text, cell.why) for cell in row.cells} == {("", "L0 is 0")}
    assert board.rows[-1] is row


def test_the_same_sae_on_both_sides_has_a_row_on_each() -> None:
    report = reports.report(
        reports.results(reports.readings(reports.CUSTOM)),
        reports.results(reports.readings(reports.CUSTOM), root="baseline"),
    )
    (board,) = leaderboards(report)
    assert [row.about for row in board.rows].count("baseline, 5 seeds") == 1
    assert board.names == ("custom_sae", "custom_sae (baseline)")


def test_variants_have_no_row_and_are_counted() -> None:
    (made,) = _readings("a", {0: 0.5})
    variant = replace(made, family=made.family._replace(variant="settings.shuffled=true"))
    board = _board([made, variant], _readings("b", {0: 0.4}))
    assert [row.name for row in board.rows] == ["a", "b"]
    assert board.n_variants == 1


def test_columns_are_the_headline_of_each_eval() -> None:
    (board,) = leaderboards(published())
    assert [column.metric for column in board.columns] == [
        "core.ce_loss_score", "core.explained_variance", "autointerp.autointerp_score",
    ]  # fmt: skip
    assert board.rows[0].l0.text == "320.0"


def test_metrics_that_were_asked_for_are_the_columns() -> None:
    board = _board(
        reports.readings(reports.CUSTOM), reports.readings(reports.TOPK),
        shown_metrics=("mig.mig_sup", "core.mse"),
    )  # fmt: skip
    assert [column.metric for column in board.columns] == ["core.mse", "mig.mig_sup"]


def test_names_are_shown_without_what_all_share() -> None:
    (board,) = leaderboards(published())
    assert board.rows[0].name == "Matryoshka\N{HORIZONTAL ELLIPSIS}trainer_4"
    assert board.shared in board.rows[0].full_name
