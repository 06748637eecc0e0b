"""csae_bench/config/curriculum.py, and what problems.py says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from csae_bench.config import Stage
from csae_bench.config.curriculum import HELD_BY_ALL_STAGES, STAGE_SETTINGS
from csae_bench.config.loading import load_config, partial_config
from csae_bench.config.loss_terms import LOSS_TERMS
from csae_bench.errors import ConfigError


def _config(tmp_path: Path, stage: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "training:\n  curriculum:\n"
        "    - {name: first, until: 0.5}\n"
        f"    - {{name: second, until: 1, {stage}}}\n"
    )
    return str(path)


def _problems(path: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return caught.value.problems


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("settings: {mixng: {}}", ("settings.mixng'", "Did you mean 'mixing'?")),
        (
            "settings: {mixing: {temprature: 1}}",
            ("settings.mixing.temprature'", "Did you mean 'temperature'?"),
        ),
        (
            "settings: {mixing: {temperature: 0}}",
            ("settings.mixing.temperature is 0;", "greater than 0"),
        ),
        (
            "settings: {mixing: {targeting: rand}}",
            ("settings.mixing.targeting is 'rand';", "Did you mean 'random'?"),
        ),
        ("settings: {rows: {weight: 2}}", ("settings.rows.weight: ", "use strength")),
        ("settings: {rows: {temperature: learned}}", ("settings.rows.temperature: ", "sae.losses")),
        ("settings: {rows: 3}", ("settings.rows is 3;", "dictionary")),
        ("settings: 3", ("settings is 3;", "dictionary")),
        ("strength: -1", ("strength is -1;", "greater than or equal to 0")),
        ("strength: {rows: -1}", ("strength.rows is -1;", "greater than or equal to 0")),
        ("strength: {row: 1}", ("strength.row'", "Did you mean 'rows'?")),
        ("pairs: [parafrase]", ("pairs.0 is 'parafrase';", "Did you mean 'paraphrase'?")),
        ("pairs: []", ("pairs is []", "at least 1 item")),
        ("strengh: 1", ("curriculum.1.strengh'", "Did you mean 'strength'?")),
    ],
)
def test_a_mistake_in_a_stage_is_one_sentence_with_file_and_full_key(
    stage: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    path = _config(tmp_path, stage)
    (problem,) = _problems(path)
    for part in (path, "training.curriculum.1.", *expected):
        assert part in problem


def test_what_a_stage_lacks_is_said(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("training: {curriculum: [{until: 1}]}")
    assert _problems(str(path)) == [f"{path}: training.curriculum.0.name is missing."]


def test_what_no_stage_can_set_is_not_offered(tmp_path: Path) -> None:
    (problem,) = _problems(_config(tmp_path, "settings: {rows: {tau: 1}}"))
    allowed = problem.split("Allowed there: ")[1].rstrip(".").split(", ")
    assert allowed == ["invariance_weighted", "minimal_negatives", "on", "temperature"]


@pytest.mark.parametrize("term", LOSS_TERMS)
def test_a_stage_knows_every_setting_of_every_term(term: str) -> None:
    assert set(STAGE_SETTINGS[term].model_fields) == set(LOSS_TERMS[term].model_fields)


def test_what_all_stages_hold_are_settings_that_exist() -> None:
    assert set(HELD_BY_ALL_STAGES) <= set(LOSS_TERMS["rows"].model_fields)


def test_only_what_a_stage_sets_is_kept() -> None:
    stage = Stage.model_validate(
        {"name": "a", "until": 1, "settings": {"mixing": {"temperature": 2}}, "strength": {}}
    )
    assert stage.settings == {"mixing": {"temperature": 2.0}}
    assert stage.strength_of("mixing") == 1


def test_a_stage_survives_json() -> None:
    stage = Stage(name="a", until=1, strength={"rows": 2}, settings={"rows": {"on": "union"}})
    assert Stage.model_validate(json.loads(json.dumps(stage.model_dump(mode="json")))) == stage


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ("[{name: a, until: 0.5}]", "0.5; they must rise and end in 1"),
        ("[{name: a, until: 1}, {name: b, until: 0.5}]", "they must rise"),
        ("[{name: a, until: 0.5}, {name: a, until: 1}]", "two stages have the same name"),
    ],
)
def test_stages_rise_to_1_and_have_names_of_their_own(
    stages: str, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"training: {{curriculum: {stages}}}")
    (problem,) = _problems(str(path))
    assert "training.curriculum" in problem
    assert expected in problem


def test_a_value_of_one_of_two_types_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("sae: {losses: {rows: {temperature: low}}}")
    (problem,) = _problems(str(path))
    assert problem.endswith(
        "sae.losses.rows.temperature is 'low'; it must be a valid number or 'learned'."
    )


def test_the_sound_rest_of_a_broken_stage_is_kept(tmp_path: Path) -> None:
    stage = "strength: 0.5, settings: {mixing: {temperature: 0, share: 0.2}}"
    partial = partial_config(_config(tmp_path, stage))
    assert partial is not None
    second = partial.config.training.curriculum[1]
    assert (second.strength, second.settings) == (0.5, {"mixing": {"share": 0.2}})


def test_a_curriculum_whose_stage_lacks_a_key_is_left_out_of_the_sound_rest(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("training: {batch_size: 8, curriculum: [{name: a}]}")
    partial = partial_config(str(path))
    assert partial is not None
    assert (partial.config.training.batch_size, partial.config.training.curriculum) == (8, ())
