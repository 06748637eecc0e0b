"""csae_bench/comparison/reading/record.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from csae_bench.comparison.model import Family
from csae_bench.comparison.reading.record import run_of
from csae_bench.errors import ResultError
from tests.unit.comparison.result_files import OUR_RECORD, loaded

PATH = Path("runs/x.json")


def record(**changes: Any) -> dict[str, Any]:
    return {"release": "r", "sae_id": "x_seed2", "status": "ok", **changes}


def cell(status: str, *messages: str) -> dict[str, Any]:
    return {"status": status, "reasons": [{"kind": "K", "message": m} for m in messages]}


def test_our_record_is_read() -> None:
    run = run_of(loaded(OUR_RECORD), OUR_RECORD)
    assert run.family == Family("tiny-gemma2-it_layer_2_sae", "random")
    assert (run.status, run.seed, run.d_sae, run.sparsity) == ("ok", 0, 1024, 18)
    assert run.cells == {"training": "skipped", "validity": "ok", "mig": "ok"}
    assert run.problems == ()


def test_what_trains_nothing_has_no_learning_rate() -> None:
    assert run_of(loaded(OUR_RECORD), OUR_RECORD).learning_rate is None


def test_a_training_is_read() -> None:
    run = run_of(
        record(
            training={"planned_steps": 800, "executed_steps": 12, "final_loss": 0.5},
            config={"training": {"learning_rate": 3e-4}, "sae": {"l1_coefficient": 0.04}},
            wall_seconds=7.5,
        ),
        PATH,
    )
    assert (run.planned_steps, run.executed_steps, run.final_loss) == (800, 12, 0.5)
    assert (run.learning_rate, run.sparsity, run.wall_seconds) == (3e-4, 0.04, 7.5)


def test_a_minimal_record_is_read() -> None:
    run = run_of(record(), PATH)
    assert (run.family, run.sae_id, run.seed) == (Family("r", "x"), "x_seed2", 2)
    assert (run.executed_steps, run.final_loss, run.cells) == (None, None, {})


def test_problems_are_what_preflight_refused_and_why_cells_failed() -> None:
    run = run_of(
        record(
            status="failed",
            problems=["n_tokens suffices for 0 steps."],
            cells={
                "training": cell("ok"),
                "validity": cell("invalid", "L0 is 0"),
                "core": cell("failed", "out of memory"),
                "unlearning": cell("skipped", "no data"),
            },
        ),
        PATH,
    )
    assert run.problems == (
        "n_tokens suffices for 0 steps.",
        "validity: L0 is 0",
        "core: out of memory",
    )


def test_a_failure_without_a_reason_is_said_to_have_none() -> None:
    assert run_of(record(status="failed"), PATH).problems == (
        "the record says failed and gives no reason",
    )
    run = run_of(record(status="failed", cells={"core": cell("failed")}), PATH)
    assert run.problems == ("core: failed, without a reason",)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "fine"}, "status is 'fine'; in a run record it must be one of ok, failed"),
        ({"status": None}, "status is None"),
        ({"release": 3}, "release is 3"),
        ({"sae_id": None}, "sae_id is None"),
    ],
)
def test_a_record_that_does_not_say_the_least_is_an_error(
    changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(ResultError, match=why):
        run_of(record(**changes), PATH)


@pytest.mark.parametrize("value", [None, [], "text", 5, {"training": "text", "core": [1]}])
def test_parts_in_another_form_are_unknown(value: object) -> None:
    run = run_of(record(cells=value, config=value, training=value, problems=value), PATH)
    assert (run.cells, run.problems, run.executed_steps, run.sparsity) == ({}, (), None, None)


def test_what_flags_changed_is_said_but_for_what_does_not_decide_the_weights() -> None:
    run = run_of(
        record(
            origins={"sae.k": "flag", "seed": "flag", "evals.mig.seed": "flag", "model": "file"},
            config={"sae": {"k": 9.0}, "seed": 2, "model": "tiny"},
        ),
        PATH,
    )
    assert run.changes == ("sae.k=9",)
