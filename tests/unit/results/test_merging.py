"""csae_bench/results/merging.py."""

from __future__ import annotations

from csae_bench.results.merging import merged
from csae_bench.results.schema import Cell, CellStatus, Failure, RunRecord

OK = Cell(status="ok")
FAILED = Cell(status="failed", reasons=(Failure(kind="E", message="m"),))


def _record(
    *,
    weights_hash: str | None = "w",
    status: CellStatus = "ok",
    evals: tuple[str, ...] = (),
    **cells: Cell,
) -> RunRecord:
    return RunRecord(
        status=status,
        release="r",
        sae_id="s",
        source="s",
        model="m",
        hook_name=None,
        weights_hash=weights_hash,
        cells=cells,
        config={"evals": {name: {} for name in evals}},
        started="now",
        wall_seconds=1,
    )


def test_a_first_record_is_filed_as_it_is() -> None:
    latest = _record(training=OK)
    assert merged(None, latest) == latest


def test_cells_of_earlier_runs_stay() -> None:
    record = merged(_record(training=OK, mig=OK, evals=("mig",)), _record(core=OK, evals=("core",)))
    assert list(record.cells) == ["training", "mig", "core"]
    assert record.config is not None
    assert record.config["evals"].keys() == {"mig", "core"}


def test_the_latest_cell_of_an_eval_holds() -> None:
    assert merged(_record(mig=FAILED), _record(mig=OK)).cells == {"mig": OK}


def test_an_eval_that_failed_before_keeps_the_record_failed() -> None:
    assert merged(_record(mig=FAILED), _record(core=OK)).status == "failed"


def test_cells_of_other_weights_are_dropped() -> None:
    assert merged(_record(mig=OK, weights_hash="old"), _record(core=OK)).cells == {"core": OK}


def test_a_training_that_failed_leaves_the_earlier_results_and_fails_the_record() -> None:
    record = merged(
        _record(training=OK, mig=OK), _record(training=FAILED, weights_hash=None, status="failed")
    )
    assert record.cells == {"training": FAILED, "mig": OK}
    assert (record.status, record.weights_hash) == ("failed", "w")


def test_a_run_that_was_interrupted_is_settled_by_the_next() -> None:
    interrupted = merged(_record(core=OK), _record(run=FAILED))
    assert interrupted.status == "failed"
    settled = merged(interrupted, _record(mig=OK))
    assert (settled.status, set(settled.cells)) == ("ok", {"core", "mig"})


def test_a_refusal_without_weights_gives_way_to_a_run() -> None:
    refused = _record(weights_hash=None, status="failed")
    assert merged(refused, _record(core=OK)).status == "ok"
