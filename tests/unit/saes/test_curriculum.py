"""csae_bench/saes/curriculum.py."""

from __future__ import annotations

from typing import Any

import pytest

from csae_bench.config import Stage
from csae_bench.loss_terms import MixingSettings, RowsSettings
from csae_bench.saes.curriculum import Curriculum, objective_at


def _curriculum(*untils: float, n_steps: int = 120, **of_all: Any) -> Curriculum:
    stages = (Stage(name=f"stage {i}", until=until, **of_all) for i, until in enumerate(untils))
    return Curriculum(tuple(stages), n_steps)


def test_without_stages_there_is_one_in_which_all_counts() -> None:
    curriculum = Curriculum((), 100)
    assert [stage.name for stage in curriculum.stages] == ["all"]
    assert curriculum.starts == (0,)
    assert curriculum.lengths == (100,)
    assert curriculum.at(99).strength_of("rows") == 1


def test_a_stage_ends_where_its_fraction_of_the_steps_is_reached() -> None:
    curriculum = _curriculum(0.07, 0.34, 1)
    assert curriculum.starts == (0, 8, 41)
    assert curriculum.lengths == (8, 33, 79)
    names = [curriculum.at(step).name for step in (0, 7, 8, 40, 41, 119)]
    assert names == ["stage 0", "stage 0", "stage 1", "stage 1", "stage 2", "stage 2"]


def test_every_step_lies_in_the_stage_that_its_start_names() -> None:
    curriculum = _curriculum(0.1, 0.35, 0.36, 1, n_steps=50)
    starts = [step for step in range(50) if curriculum.is_start(step)]
    assert starts == sorted(set(curriculum.starts))
    for step in range(50):
        start = curriculum.start_of(step)
        assert start <= step
        assert curriculum.at(start) is curriculum.at(step)


def test_a_stage_of_no_steps_is_never_given() -> None:
    curriculum = _curriculum(0.001, 0.5, 0.501, 1, n_steps=10)
    assert curriculum.lengths == (0, 5, 0, 5)
    assert {curriculum.at(step).name for step in range(10)} == {"stage 1", "stage 3"}


def test_after_the_last_step_the_last_stage_stands() -> None:
    assert _curriculum(0.5, 1).at(500).name == "stage 1"


def test_steps_before_the_first_are_a_bug() -> None:
    with pytest.raises(ValueError, match="count from 0"):
        _curriculum(1).at(-1)


def test_a_term_starts_where_its_strength_is_first_above_0() -> None:
    stages = (
        Stage(name="reconstruction", until=0.1, strength=0),
        Stage(name="easy", until=0.5, strength={"mixing": 0}),
        Stage(name="hard", until=1),
    )
    curriculum = Curriculum(stages, 100)
    weights = {"rows": 0.1, "mixing": 0.2, "columns": 0.0}
    assert curriculum.first_step_of("rows", weights) == 10
    assert curriculum.first_step_of("mixing", weights) == 50
    assert curriculum.first_step_of("columns", weights) is None
    assert curriculum.first_step_of("triplet", weights) is None


def test_a_term_does_not_start_in_a_stage_of_no_steps() -> None:
    stages = (
        Stage(name="none", until=0.001),
        Stage(name="reconstruction", until=0.5, strength=0),
        Stage(name="all of it", until=1),
    )
    assert Curriculum(stages, 100).first_step_of("rows", {"rows": 1}) == 50


def test_the_objective_of_a_stage_has_its_settings_and_weights_times_strength() -> None:
    terms = {"rows": RowsSettings(weight=0.2), "mixing": MixingSettings(weight=0.1, share=0.3)}
    stage = Stage(
        name="hard",
        until=1,
        strength={"rows": 0.5},
        settings={"mixing": {"targeting": "random", "temperature": 2}},
    )
    assert objective_at(terms, stage) == {
        "rows": RowsSettings(weight=0.1),
        "mixing": MixingSettings(weight=0.1, share=0.3, targeting="random", temperature=2.0),
    }
    assert terms["rows"].weight == 0.2


def test_terms_without_weight_or_strength_are_left_out() -> None:
    terms = {"rows": RowsSettings(weight=0.2), "mixing": MixingSettings(weight=0)}
    settings = {"mixing": {"targeting": "random"}}
    assert set(objective_at(terms, Stage(name="a", until=1, settings=settings))) == {"rows"}
    assert objective_at(terms, Stage(name="b", until=1, strength=0)) == {}
