"""The contrastive objective in training: stages, shares of the gradient, L0, what pairs gain."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from csae_bench.config import ResolvedConfig
from csae_bench.errors import ConfigError
from csae_bench.training.outcome import read_outcome
from csae_bench.training.train import train

Resolve = Callable[..., ResolvedConfig]

TERMS = {
    "rows": {"weight": 0.2},
    "columns": {"weight": 0.1, "min_firings": 2},
    "cross_view": {"weight": 0.3},
    "push_up": {"weight": 0.1},
    "mixing": {"weight": 0.1},
}
STEPS = 300
LONG = {"n_tokens": 128 * STEPS, "weighting": {"every": 5}, "log_every": 5, "checkpoint_every": 0}


def _sae(losses: dict[str, Any], architecture: str = "contrastive_topk") -> dict[str, Any]:
    penalty = {"k": 6} if "topk" in architecture else {}
    return {"architecture": architecture, "d_sae": 64, **penalty, "losses": losses}


def _log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(resolve: Resolve, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training with five terms in three stages."""
    folder = tmp_path_factory.mktemp("whole")
    stages = [
        {"name": "reconstruction", "until": 0.1, "strength": 0},
        {"name": "easy", "until": 0.4, "strength": {"mixing": 0}},
        {"name": "hard", "until": 1, "settings": {"mixing": {"temperature": 0.1}}},
    ]
    train(
        resolve(sae=_sae(TERMS), training={**LONG, "curriculum": stages}),
        None,
        folder,
        progress=False,
    )
    return folder


def test_the_log_names_the_stage_and_has_a_line_at_each_change(whole: Path) -> None:
    lines = {line["step"]: line for line in _log(whole)}
    assert [lines[step]["stage"] for step in (1, 30, 31, 120, 121, 300)] == [
        "reconstruction",
        "reconstruction",
        "easy",
        "easy",
        "hard",
        "hard",
    ]


def test_a_term_is_computed_in_the_stages_that_it_is_on_in_alone(whole: Path) -> None:
    for line in _log(whole):
        on = {term for term in TERMS if line[f"loss/{term}"] is not None}
        assert all(line[f"coefficient/{term}"] == 0 for term in TERMS.keys() - on)
        expected = {
            "reconstruction": set(),
            "easy": set(TERMS) - {"mixing"},
            "hard": set(TERMS),
        }
        assert on == expected[line["stage"]]


@pytest.mark.parametrize("term", TERMS)
def test_each_terms_share_of_the_gradient_lies_where_its_weight_says(
    term: str, whole: Path
) -> None:
    shares = [line[f"grad_share/{term}"] for line in _log(whole)[-20:]]
    assert mean(shares) == pytest.approx(TERMS[term]["weight"], rel=0.15)


def test_every_term_that_is_on_is_above_zero_and_compares_something(whole: Path) -> None:
    for line in _log(whole)[-20:]:
        assert all(line[f"loss/{term}"] > 0 for term in TERMS)
        assert all(line[f"compared/{term}"] > 0 for term in TERMS)
        assert all(line[f"coefficient/{term}"] > 0 for term in TERMS)


def test_the_separation_of_one_kind_of_pairs_is_that_of_all(whole: Path) -> None:
    outcome = read_outcome(whole)
    assert outcome.pair_separation is not None
    assert 0 < outcome.pair_separation < 1
    assert outcome.pair_separation_by_kind == {"same_sequence": outcome.pair_separation}


def test_shuffled_positives_separate_no_pairs_and_do_not_stop(
    resolve: Resolve, tmp_path: Path
) -> None:
    folders = [tmp_path / "twin", tmp_path / "shuffled"]
    twin, shuffled = (
        train(
            resolve(sae=_sae(losses), pairs={"shuffled": True}, training=LONG),
            None,
            folder,
            progress=False,
        )
        for losses, folder in zip(({}, {"rows": {"weight": 0.2}}), folders, strict=True)
    )
    assert shuffled.pair_separation is not None
    assert twin.pair_separation is not None
    assert shuffled.pair_separation < twin.pair_separation + 0.02


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["contrastive", "contrastive_jumprelu", "standard"])
def test_l0_is_held_at_its_target(architecture: str, resolve: Resolve, tmp_path: Path) -> None:
    losses = {"losses": {"rows": {"weight": 0.1}}} if architecture.startswith("contra") else {}
    penalty = {"l0_coefficient": 0.1} if "jumprelu" in architecture else {"l1_coefficient": 1}
    resolved = resolve(
        sae={"architecture": architecture, "d_sae": 64, **penalty, **losses},
        training={**LONG, "n_tokens": 128 * 1800, "hold_l0": {"target": 8}},
    )
    outcome = train(resolved, None, tmp_path, progress=False)
    assert outcome.l0_inference == pytest.approx(8, rel=0.02)


def test_holding_l0_where_there_is_no_penalty_is_an_error(resolve: Resolve, tmp_path: Path) -> None:
    resolved = resolve(training={"hold_l0": {"target": 8}})
    with pytest.raises(ConfigError, match=r"hold_l0 is set, but .* its L0 is k"):
        train(resolved, None, tmp_path, progress=False)


@pytest.mark.parametrize("kind", ["constant", "gradnorm", "uncertainty"])
def test_every_weighting_trains_with_every_term(
    kind: str, resolve: Resolve, tmp_path: Path
) -> None:
    losses = {**TERMS, "triplet": {"weight": 0.1}, "barlow": {"weight": 0.1, "min_firings": 2}}
    resolved = resolve(sae=_sae(losses), training={"weighting": {"kind": kind, "every": 2}})
    train(resolved, None, tmp_path, progress=False)
    line = _log(tmp_path)[-1]
    assert all(line[f"coefficient/{term}"] > 0 for term in losses)
    if kind == "constant":
        assert all(
            line[f"coefficient/{term}"] == pytest.approx(settings["weight"])
            for term, settings in losses.items()
        )
