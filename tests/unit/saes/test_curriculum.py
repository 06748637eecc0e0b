"""csae_bench/saes/curriculum.py."""

from __future__ import annotations

from typing import Any

import pytest

from csae_bench.config import PairsSettings, ParaphraseSettings, Stage
from csae_bench.config.loss_terms import ColumnsSettings, MixingSettings, RowsSettings
from csae_bench.saes.curriculum import Curriculum


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
    terms = {
        "rows": RowsSettings(weight=0.1),
        "mixing": MixingSettings(weight=0.2),
        "columns": ColumnsSettings(weight=0),
    }
    assert curriculum.first_step_of("rows", terms) == 10
    assert curriculum.first_step_of("mixing", terms) == 50
    assert curriculum.first_step_of("columns", terms) is None
    assert curriculum.first_step_of("triplet", terms) is None


def test_a_term_starts_with_the_first_stage_that_has_its_kind_of_pairs() -> None:
    stages = (
        Stage(name="texts", until=0.4, pairs=("same_sequence",)),
        Stage(name="both", until=1),
    )
    pairs = PairsSettings(paraphrase=ParaphraseSettings(weight=1))
    terms = {"rows": RowsSettings(weight=0.1, pairs=("paraphrase",))}
    curriculum = Curriculum(stages, 100, pairs)
    assert curriculum.first_step_of("rows", terms) == 40
    assert curriculum.objective(terms, stages[0]) == {}
    assert curriculum.objective(terms, stages[1]) == terms
    without = PairsSettings()
    assert Curriculum(stages, 100, without).first_step_of("rows", terms) is None


def test_a_term_does_not_start_in_a_stage_of_no_steps() -> None:
    stages = (
        Stage(name="none", until=0.001),
        Stage(name="reconstruction", until=0.5, strength=0),
        Stage(name="all of it", until=1),
    )
    assert Curriculum(stages, 100).first_step_of("rows", {"rows": RowsSettings(weight=1)}) == 50


def test_the_objective_of_a_stage_has_its_settings_and_weights_times_strength() -> None:
    terms = {"rows": RowsSettings(weight=0.2), "mixing": MixingSettings(weight=0.1, share=0.3)}
    stage = Stage(
        name="hard",
        until=1,
        strength={"rows": 0.5},
        settings={"mixing": {"targeting": "random", "temperature": 2}},
    )
    assert Curriculum((stage,), 10).objective(terms, stage) == {
        "rows": RowsSettings(weight=0.1),
        "mixing": MixingSettings(weight=0.1, share=0.3, targeting="random", temperature=2.0),
    }
    assert terms["rows"].weight == 0.2


def test_terms_without_weight_or_strength_are_left_out() -> None:
    terms = {"rows": RowsSettings(weight=0.2), "mixing": MixingSettings(weight=0)}
    settings = {"mixing": {"targeting": "random"}}
    one, none = Stage(name="a", until=1, settings=settings), Stage(name="b", until=1, strength=0)
    assert set(Curriculum((one,), 10).objective(terms, one)) == {"rows"}
    assert Curriculum((none,), 10).objective(terms, none) == {}
