"""csae_bench/cli/requests.py."""

from __future__ import annotations

from typing import Any

import pytest

from csae_bench.cli.requests import requests_of
from csae_bench.errors import UnknownNameError
from csae_bench.evals import discover, get_eval
from csae_bench.evals.presets import PRESETS
from csae_bench.runs.job import EvalJob
from csae_bench.runs.plan import plan
from csae_bench.runs.request import RunRequest


def request(**flags: Any) -> RunRequest:
    given: dict[str, Any] = {
        "sources": ("random",), "evals": None, "preset": None, "eval_seeds": None,
        "sets": (), "sweep": None,
    }  # fmt: skip
    (only,) = requests_of(**{**given, **flags})
    return only


def jobs(**flags: Any) -> list[EvalJob]:
    (sae,) = plan([request(**flags)]).saes
    assert not sae.problems
    return [job for job in sae.evals if isinstance(job, EvalJob)]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_has_settings_of_every_eval_that_declares_some(preset: str) -> None:
    settings = request(preset=preset).preset_settings
    declared = {name for name in discover() if preset in get_eval(name).presets}
    assert set(settings) == declared
    assert declared


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"quik.*quick"):
        request(preset="quik")


def test_quick_repeats_what_draws_at_random_three_times() -> None:
    quick = jobs(preset="quick", evals=("core", "mig"))
    assert [(job.eval_name, job.eval_seed) for job in quick] == [
        ("core", 0), ("mig", 0), ("mig", 1), ("mig", 2),
    ]  # fmt: skip


def test_the_number_of_eval_seeds_goes_before_the_presets() -> None:
    (only,) = jobs(preset="quick", evals=("mig",), eval_seeds=1)
    assert only.eval_seed == 0
    assert (
        only.settings["n_permutations"]
        == get_eval("mig").presets["quick"].settings["n_permutations"]
    )


def test_a_repetition_has_a_seed_and_a_key_of_its_own_and_the_first_is_as_without() -> None:
    (alone,) = jobs(evals=("mig",))
    repeated = jobs(evals=("mig",), eval_seeds=3)
    assert repeated[0] == alone
    assert [job.settings["seed"] for job in repeated] == [0, 1, 2]
    conditions = [str(job.conditions) for job in repeated]
    assert len(set(conditions)) == 3


def test_the_seed_of_a_repetition_is_the_settings_own_seed_and_more() -> None:
    repeated = jobs(evals=("mig",), eval_seeds=2, sets=("evals.mig.seed=7",))
    assert [job.settings["seed"] for job in repeated] == [7, 8]


@pytest.mark.parametrize(("sae", "n"), [("oracle", 1), ("oracle_tinyworld", 2)])
def test_an_eval_whose_seed_makes_another_world_is_not_repeated(sae: str, n: int) -> None:
    assert len(jobs(sources=(sae,), evals=("mig",), eval_seeds=2)) == n
