"""The study's file of results is appended to, whatever happened to its last line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from csae_bench.comparison.policy import load_policy
from csae_bench.evals.metric_values import names_in_comparison
from csae_bench.evals.pages import metric_rows
from experiments.study.runs import SCORES, append_line, finished, lines, settings
from experiments.study.studies import CONFIGS, PRIMARY, STUDIES, Study

ARMS = PRIMARY.arms


def _study(path: Path) -> Study:
    return PRIMARY._replace(lines=path)


def _line(arm: str, seed: int) -> dict[str, Any]:
    return {"arm": arm, "seed": seed, "settings": settings(ARMS[arm])}


def test_without_a_file_nothing_is_done(tmp_path: Path) -> None:
    assert finished(_study(tmp_path / "none.jsonl")) == set()


def test_what_has_a_line_is_done(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "primary.jsonl"
    append_line(path, _line("shuffled", 3))
    append_line(path, _line("contrastive", 3))
    assert finished(_study(path)) == {("shuffled", 3), ("contrastive", 3)}


def test_a_line_that_was_cut_off_is_not_done_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "primary.jsonl"
    append_line(path, _line("contrastive", 0))
    whole = path.read_text()
    path.write_text(whole + json.dumps(_line("shuffled", 0))[:10])
    assert finished(_study(path)) == {("contrastive", 0)}
    append_line(path, _line("shuffled", 0))
    assert lines(path) == [_line("contrastive", 0), _line("shuffled", 0)]


def test_a_whole_line_that_is_damaged_is_said(tmp_path: Path) -> None:
    path = tmp_path / "primary.jsonl"
    append_line(path, _line("contrastive", 0))
    path.write_text("{" + path.read_text())
    with pytest.raises(click.ClickException, match=r"primary\.jsonl, line 1: .*; remove it\."):
        finished(_study(path))


def test_the_comparisons_arm_is_the_candidate_that_was_chosen() -> None:
    assert settings(ARMS["contrastive"]) == settings(CONFIGS / "search" / "codes_8_eighth.yaml")


def test_a_line_of_other_settings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "primary.jsonl"
    line = _line("contrastive", 2)
    line["settings"]["sae"]["losses"]["sparse_shift"]["weight"] = 0.7
    append_line(path, line)
    with pytest.raises(
        click.ClickException, match=r"primary\.jsonl: the line of contrastive, seed"
    ):
        finished(_study(path))


def test_lines_of_arms_that_are_not_asked_for_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "primary.jsonl"
    append_line(path, {"arm": "of another study", "seed": 2, "settings": {}})
    assert finished(_study(path)) == set()


def test_the_arms_differ_in_one_thing_each() -> None:
    contrastive, no_terms, shuffled = (settings(path) for path in ARMS.values())
    assert contrastive["sae"]["losses"].pop("sparse_shift")["weight"] > 0
    assert no_terms["sae"]["losses"].pop("sparse_shift")["weight"] == 0
    assert no_terms == contrastive
    contrastive, shuffled = settings(ARMS["contrastive"]), settings(ARMS["shuffled"])
    assert shuffled["pairs"]["minimal"].pop("shuffled")
    assert not contrastive["pairs"]["minimal"].pop("shuffled")
    assert shuffled == contrastive


def test_the_policy_asks_for_every_arms_evals_and_every_rule_can_judge() -> None:
    policy = load_policy(CONFIGS / "primary.yaml", ())
    policy.check(
        f"{name}.{metric}" for name in SCORES for metric in names_in_comparison(metric_rows(name))
    )
    assert set(policy.evals) == set(PRIMARY.evals)
    assert policy.seeds == len(PRIMARY.seeds)
    assert policy.strict


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_every_arm_is_a_configuration_that_loads(study: Study) -> None:
    for path in study.arms.values():
        config = settings(path)
        assert config["sae"]["architecture"].startswith("contrastive_")
        assert config["pairs"]["minimal"]["n_pairs"] or not config["pairs"]["minimal"]["weight"]
