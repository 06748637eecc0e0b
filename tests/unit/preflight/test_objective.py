"""csae_bench/preflight/objective.py and training.py: what would make the objective fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from csae_bench.preflight import Check
from csae_bench.runs.plan import SaePlan, plan_sae
from csae_bench.runs.request import RunRequest

CONFIG = """
pairs: {paraphrase: {weight: 1}}
sae:
  architecture: contrastive_topk
  d_sae: 256
  losses:
    rows: {weight: 0.1}
    columns: {weight: 0.1}
    cross_view: {weight: 0.1}
    mixing: {weight: 0.1}
training:
  n_tokens: 12288
  batch_size: 1024
  curriculum:
    - {name: reconstruction, until: 0.25, strength: 0}
    - {name: same sequence, until: 0.5, pairs: [same_sequence], strength: {mixing: 0}}
    - {name: hard, until: 1, settings: {mixing: {temperature: 0.2}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(CONFIG)
    return path


def _examined(config: Path, *sets: str) -> SaePlan:
    return plan_sae(RunRequest(source=str(config), results=config.parent, sets=sets))


def _problems(config: Path, *sets: str) -> list[Check]:
    return [check for check in _examined(config, *sets).checks if check.outcome == "problem"]


def test_a_sound_objective_is_ok_in_every_check(config: Path) -> None:
    by_name = {check.name: check for check in _examined(config).checks}
    assert _problems(config) == []
    assert by_name["objective"].message.startswith("rows 0.1, columns 0.1, cross_view 0.1, mixing")
    assert by_name["curriculum"].message == "reconstruction, then same sequence, then hard"


@pytest.mark.parametrize(
    ("sets", "check", "expected"),
    [
        (
            ["training.n_tokens=2048"],
            "curriculum",
            ["stage 'reconstruction' has 0 of the 2 steps"],
        ),
        (
            ["pairs.same_sequence.weight=0"],
            "curriculum",
            [
                "training.curriculum.1.pairs of stage 'same sequence' is [same_sequence]",
                "pairs.same_sequence.weight is 0",
            ],
        ),
        (
            ["pairs.paraphrase.weight=1e-5"],
            "curriculum",
            ["stage 'reconstruction'", "share of 1e-05 in batches of 512 pairs"],
        ),
        (
            ["sae.losses.rows.warm_up_steps=10"],
            "objective",
            ["sae.losses.rows.warm_up_steps is 10; it must be at most the 9 steps from step 3 on"],
        ),
        (
            ["training.batch_size=2", "training.n_tokens=200"],
            "objective",
            ["training.batch_size is 2", "at least 4"],
        ),
        (
            ["sae.losses.columns.min_firings=513"],
            "objective",
            ["sae.losses.columns.min_firings is 513; it must be at most 512"],
        ),
        (
            ["sae.losses.cross_view.min_latents=257"],
            "objective",
            ["sae.losses.cross_view.min_latents is 257; it must be at most d_sae=256"],
        ),
        (
            ["sae.losses.rows.latent_fraction=0.004"],
            "objective",
            ["sae.losses.rows.latent_fraction is 0.004; it must leave at least 2 of the 256"],
        ),
        (
            ["pairs.paraphrase.dataset=./missing.jsonl"],
            "pairs",
            ["mine.yaml: pairs.paraphrase.dataset './missing.jsonl': there is no such file"],
        ),
        (
            ["pairs.same_sequence.min_distance=500"],
            "pairs",
            ["pairs.same_sequence.min_distance is 500; it must be at most"],
        ),
        (
            ["training.hold_l0.target=8"],
            "settings",
            ["training.hold_l0 is set", "take standard, jumprelu, contrastive"],
        ),
    ],
)
def test_what_would_fail_is_found_with_key_and_value(
    sets: list[str], check: str, expected: list[str], config: Path
) -> None:
    collected = [problem for problem in _problems(config, *sets) if problem.name == check]
    assert len(collected) == 1
    for part in (str(config), *expected):
        assert part in collected[0].message


def test_a_term_that_no_stage_switches_on_is_a_problem(config: Path) -> None:
    config.write_text(CONFIG.replace("- {name: hard,", "- {name: hard, strength: {mixing: 0},"))
    (problem,) = _problems(config)
    assert "no stage of training.curriculum gives mixing a strength above 0" in problem.message


@pytest.mark.parametrize("term", ["rows", "columns", "cross_view", "mixing"])
def test_every_term_is_ablated_by_its_weight_alone(term: str, config: Path) -> None:
    assert _problems(config, f"sae.losses.{term}.weight=0") == []


def test_paraphrases_are_ablated_by_their_weight_alone(config: Path) -> None:
    result = _examined(config, "pairs.paraphrase.weight=0")
    assert not result.has_problems
    assert all(plan.pairs == {"same_sequence": 1} for plan in result.stages)


def test_a_stage_of_pairs_that_are_off_names_both_keys(config: Path) -> None:
    config.write_text(CONFIG.replace("- {name: hard,", "- {name: hard, pairs: [paraphrase],"))
    (problem,) = _problems(config, "pairs.paraphrase.weight=0")
    for part in ("training.curriculum.2.pairs", "stage 'hard'", "pairs.paraphrase.weight is 0"):
        assert part in problem.message


def test_one_pair_suffices_where_no_term_is_on(config: Path) -> None:
    sets = [f"sae.losses.{term}.weight=0" for term in ("rows", "columns", "cross_view", "mixing")]
    sets += ["training.batch_size=2", "training.n_tokens=200", "pairs.paraphrase.weight=0"]
    assert _problems(config, *sets) == []


def test_generated_activations_have_no_paraphrases(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("activations: {kind: generator}\npairs: {paraphrase: {weight: 1}}")
    (problem,) = _problems(path)
    assert problem.name == "pairs"
    assert "pairs.paraphrase.weight is 1; generated activations have no texts" in (problem.message)


def test_held_l0_needs_a_penalty_that_it_can_scale(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    held = "training: {hold_l0: {target: 20}}"
    for sae, expected in (
        ("{architecture: contrastive, d_sae: 64}", None),
        ("{architecture: contrastive_jumprelu, d_sae: 64}", None),
        ("{architecture: standard, d_sae: 16}", "target is 20.0; it must be at most d_sae=16"),
        ("{architecture: standard, d_sae: 64, l1_coefficient: 0}", "sae.l1_coefficient is 0"),
        (
            "{architecture: jumprelu, d_sae: 64, jumprelu_sparsity_loss_mode: quadratic, "
            "target_l0: 9}",
            "must be 'step' or 'tanh'",
        ),
        ("{architecture: batchtopk, d_sae: 64}", "no sparsity penalty"),
    ):
        path.write_text(f"sae: {sae}\n{held}")
        collected = [problem.message for problem in _problems(path)]
        assert len(collected) == (expected is not None), sae
        assert expected is None or expected in collected[0]


def test_minimal_negatives_need_groups_of_three(config: Path) -> None:
    sets = ["sae.losses.rows.minimal_negatives=true", "pairs.minimal.weight=1"]
    (problem,) = _problems(config, *sets)
    assert "sae.losses.rows.minimal_negatives is true, but no batch has groups" in problem.message
    assert _problems(config, *sets, "pairs.minimal.with_paraphrases=true") == []


def test_a_term_of_minimal_pairs_without_any_is_said_to_be_off(config: Path) -> None:
    checks = _examined(config, "sae.losses.sparse_shift.weight=0.2").checks
    assert any("sparse_shift is off, as pairs.minimal.weight is 0" in c.message for c in checks)
    assert _problems(config, "sae.losses.sparse_shift.weight=0.2") == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("pairs.minimal.dataset=nowhere.jsonl", "nowhere.jsonl"),
        ("pairs.minimal.factors=[tempus]", "tempus"),
        ("pairs.minimal.dataset=nowhere.csv", "pairs.minimal.templates is empty"),
    ],
)
def test_minimal_pairs_that_cannot_be_made_are_a_problem(
    config: Path, settings: str, problem: str
) -> None:
    (check,) = _problems(config, "pairs.minimal.weight=1", settings)
    assert problem in check.message


def test_shuffled_pairs_are_said_to_be_a_control(config: Path) -> None:
    checks = _examined(config, "pairs.paraphrase.shuffled=true").checks
    assert any(c.name == "pairs" and c.message.endswith("as a control") for c in checks)
