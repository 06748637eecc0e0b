"""Messages between an executor and its workers survive the way through a line of text."""

from __future__ import annotations

from pathlib import Path

import pytest

import csae_bench.errors
from csae_bench.errors import CsaeBenchError, RunError
from csae_bench.executors.messages import (
    Shard,
    WorkerMessage,
    cell_of,
    error_from_json,
    error_to_json,
)
from csae_bench.results.schema import Cell, Failure
from csae_bench.runs.request import RunRequest

REQUEST = RunRequest(
    source="custom_sae",
    results=Path("some/where"),
    model="tiny-gemma2-it",
    evals=("core", "mig"),
    preset="quick",
    preset_settings={"mig": {"n_permutations": 7}},
    eval_seeds=3,
    seed=3,
    device="cpu",
    sets=("sae.k=9", 'pairs.note="a, b"'),
    force=True,
    resume=False,
)


@pytest.mark.parametrize("request_", [REQUEST, RunRequest(source="a/b", evals=None)])
def test_a_shard_is_the_same_on_the_other_side(request_: RunRequest) -> None:
    shard = Shard(number=0, requests=(request_, REQUEST), train_only=True)
    assert Shard.from_line(shard.to_line()) == shard
    assert "\n" not in shard.to_line()


def test_a_request_is_the_key_of_a_table() -> None:
    assert {REQUEST: 1}[REQUEST] == 1


@pytest.mark.parametrize(
    "message",
    [
        WorkerMessage(shard=0, sae=0, name="mig", cell={"status": "ok"}, weights_hash="ab"),
        WorkerMessage(shard=2, sae=1, name="run", error={"kind": "EvalError", "message": "no"}),
        WorkerMessage(shard=0, line="training ...\n", is_passing=True),
        WorkerMessage(shard=0, is_end=True),
    ],
)
def test_a_workers_message_is_the_same_on_the_other_side(message: WorkerMessage) -> None:
    assert WorkerMessage.from_line(message.to_line()) == message
    assert "\n" not in message.to_line()


def test_a_cell_is_the_same_on_the_other_side() -> None:
    reason = Failure(kind="EvalError", message="it failed")
    cell = Cell(status="failed", reasons=(reason,), wall_seconds=1.5, key="ab12")
    message = WorkerMessage(shard=0, sae=0, name="mig", cell=cell.model_dump(mode="json"))
    assert cell_of(WorkerMessage.from_line(message.to_line())) == cell


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(csae_bench.errors).values()
        if isinstance(kind, type) and issubclass(kind, CsaeBenchError)
    ],
)
def test_an_error_of_ours_keeps_its_class_its_text_and_its_exit_code(
    kind: type[CsaeBenchError],
) -> None:
    error = kind.__new__(kind)
    Exception.__init__(error, "first line\nsecond line")
    again = error_from_json(error_to_json(error))
    assert type(again) is kind
    assert str(again) == "first line\nsecond line"
    assert again.exit_code == kind.exit_code


def test_another_error_becomes_a_run_error_and_leaves_its_traceback(tmp_path: Path) -> None:
    try:
        raise ZeroDivisionError("of all things")
    except ZeroDivisionError as error:
        again = error_from_json(error_to_json(error, tmp_path))
    assert type(again) is RunError
    assert str(again).startswith("ZeroDivisionError: of all things")
    assert "ZeroDivisionError" in (tmp_path / "traceback.txt").read_text()
