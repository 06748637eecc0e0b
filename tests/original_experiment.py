"""The experiment that the project starts from, as a results folder.

`data/original/runs.yaml` has its runs as they were reported. Four of them asked for 1000 tokens in
batches of 2048, so for no step at all, and nothing said so; here each has the record that a run of
ours would have left. Run 0 is a published core result of an SAE whose weights are all zero; run 5
was planned and never ran.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from csae_bench.results.schema import Cell, Failure, RunRecord, Training
from csae_bench.results.store import Store, write_json
from csae_bench.results.validity import reasons_invalid, vital_signs_of_core

DATA = Path(__file__).parent / "data"
RUNS = yaml.safe_load((DATA / "original" / "runs.yaml").read_text(encoding="utf-8"))
RUN_0: dict[str, Any] = json.loads(
    (DATA / "original_run_0_core_eval_results.json").read_text(encoding="utf-8")
)
RELEASE: str = RUN_0["sae_lens_release_id"]


def write_original_results(folder: Path) -> Path:
    """Writes the records and run 0's core result; gives the folder."""
    store = Store(folder)
    for name, reported in RUNS["runs"].items():
        write_json(store.run_record(RELEASE, name), original_record(name, reported))
    write_json(store.eval_result("core", RELEASE, "run_0"), RUN_0)
    return folder


def original_record(name: str, reported: dict[str, Any]) -> RunRecord:
    """What our run record would say of a run as it was reported."""
    training = _training(reported)
    cells: dict[str, Cell] = {}
    problems: tuple[str, ...] = ()
    if "result" in reported:
        reasons = reasons_invalid(vital_signs_of_core(RUN_0))
        cells["core"] = Cell(
            status="invalid",
            reasons=tuple(Failure(kind="invalid", message=reason) for reason in reasons),
        )
    elif training is None:
        problems = ("It was planned and never ran.",)
    else:
        problems = (
            f"{reported['tokens']} tokens / batch {reported['batch']} = "
            f"{training.planned_steps} steps.",
        )
    published = datetime.fromtimestamp(RUN_0["datetime_epoch_millis"] / 1000, UTC)
    return RunRecord(
        status="invalid" if cells else "failed",
        release=RELEASE,
        sae_id=name,
        source=reported["description"],
        model=RUNS["model"],
        hook_name=RUNS["hook_name"],
        d_in=RUNS["d_in"],
        d_sae=reported.get("dict_size"),
        problems=problems,
        training=training,
        cells=cells,
        config=_config(reported),
        started=published.isoformat(timespec="seconds"),
        wall_seconds=0.0,
    )


def _training(reported: dict[str, Any]) -> Training | None:
    if "training_steps" not in reported:
        return None
    return Training(
        planned_steps=reported["tokens"] // reported["batch"],
        executed_steps=reported["training_steps"],
        n_tokens=reported["training_steps"] * reported["batch"],
        final_loss=reported["final_loss"],
        training_log=None,
        checkpoint=None,
    )


def _config(reported: dict[str, Any]) -> dict[str, Any]:
    """The settings under the names that ours have; what was not reported is not there."""
    sae = {"d_sae": reported.get("dict_size"), "l1_coefficient": reported.get("sparsity_penalty")}
    training = {
        "learning_rate": reported.get("learning_rate"),
        "n_tokens": reported.get("tokens"),
        "batch_size": reported.get("batch"),
    }
    return {
        "model": RUNS["model"],
        "hook_name": RUNS["hook_name"],
        "sae": {key: value for key, value in sae.items() if value is not None},
        "training": {key: value for key, value in training.items() if value is not None},
    }
