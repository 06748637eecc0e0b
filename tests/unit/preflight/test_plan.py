"""csae_bench/preflight/plan.py and table.py: the curriculum as doctor shows it."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from csae_bench.config.loading import load_config
from csae_bench.preflight import Check
from csae_bench.preflight.plan import StagePlan, stage_plans
from csae_bench.preflight.table import print_checks

CONFIG = """
pairs: {paraphrase: {weight: 3}}
sae: {losses: {rows: {weight: 0.1}, mixing: {weight: 0.2}}}
training:
  n_tokens: 1000
  batch_size: 10
  curriculum:
    - {name: alone, until: 0.1, strength: 0, pairs: [same_sequence]}
    - name: easy
      until: 0.5
      strength: {mixing: 0.5}
      settings: {mixing: {targeting: random}, rows: {temperature: 0.2}, columns: {min_firings: 2}}
    - {name: hard, until: 1}
"""


def _plans(tmp_path: Path) -> list[StagePlan]:
    path = tmp_path / "mine.yaml"
    path.write_text(CONFIG)
    return stage_plans(load_config(str(path)).config)


def test_a_plan_says_what_counts_in_which_steps(tmp_path: Path) -> None:
    alone, easy, hard = _plans(tmp_path)
    assert (alone.first_step, alone.n_steps, alone.weights) == (0, 10, {})
    assert alone.pairs == {"same_sequence": 1}
    assert (easy.first_step, easy.n_steps) == (10, 40)
    assert easy.pairs == {"same_sequence": 0.25, "paraphrase": 0.75}
    assert easy.weights == {"rows": 0.1, "mixing": 0.1}
    assert (hard.weights, hard.settings) == ({"rows": 0.1, "mixing": 0.2}, {})


def test_only_settings_that_differ_and_count_are_shown(tmp_path: Path) -> None:
    # the temperature of rows is what it was, and columns are off
    assert _plans(tmp_path)[1].settings == {"mixing": {"targeting": "random"}}


def test_where_nothing_changes_and_nothing_counts_there_is_no_plan() -> None:
    assert stage_plans(load_config("topk").config) == []
    assert stage_plans(load_config("identity").config) == []


def test_without_a_curriculum_the_terms_make_one_stage() -> None:
    config = load_config("custom_sae", sets=["training.curriculum=[]"]).config
    (plan,) = stage_plans(config)
    assert (plan.stage, plan.first_step, plan.n_steps) == ("all", 0, config.training.n_steps)


def test_the_table_has_a_row_for_each_stage(tmp_path: Path) -> None:
    written = io.StringIO()
    console = Console(file=written, width=120)
    print_checks([Check("steps", "ok", "100 steps")], _plans(tmp_path), console)
    lines = [" ".join(line.split()) for line in written.getvalue().splitlines()]
    assert "alone 0 to 9 same_sequence 100% none: reconstruction alone" in lines
    assert "easy 10 to 49 same_sequence 25% rows 0.1" in lines
    assert "paraphrase 75% mixing 0.1 (targeting=random)" in lines
    assert "hard 50 to 99 same_sequence 25% rows 0.1" in lines
