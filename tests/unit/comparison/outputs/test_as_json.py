"""A report as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from csae_bench.comparison.model import Condition
from csae_bench.comparison.outputs import as_json
from csae_bench.comparison.outputs.as_json import to_json
from tests.unit.comparison.outputs import reports


def _strict(value: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(value, allow_nan=False))


def test_the_layout_is_the_documented_one() -> None:
    result = _strict(to_json(reports.every_verdict()))
    # the first column of the module's table
    table = [line[4:24] for line in (as_json.__doc__ or "").splitlines() if line.startswith("    ")]
    documented = [name for cell in table for name in cell.replace(",", " ").split()]
    assert sorted(result) == sorted(documented)


def test_a_comparison_has_all_that_is_known_of_it() -> None:
    row = _strict(to_json(reports.every_verdict()))["comparisons"][0]
    assert row["metric"] == "core.ce_loss_score"
    assert row["direction"] == "higher"
    assert row["candidate"] == {"release": reports.RELEASE, "name": "custom_sae"}
    assert row["verdict"] == "worse"
    interval = reports.every_verdict().comparisons[0].interval
    assert interval is not None
    assert row["interval"] == vars(interval)


def test_what_is_undefined_is_null() -> None:
    row = _strict(to_json(reports.every_verdict()))["comparisons"][-1]
    assert row["difference"] is None
    assert row["interval"] is None


def test_mismatches_have_both_values() -> None:
    rows = _strict(to_json(reports.every_verdict()))["comparisons"]
    assert [row["mismatches"] for row in rows if row["mismatches"]] == [
        {"dataset": {"candidate": "tinyworld", "baseline": "other"}}
    ]


def test_equal_conditions_are_written_once() -> None:
    as_json = _strict(to_json(reports.five_good_runs()))
    assert as_json["conditions"] == {"c0": reports.CONDITIONS}
    assert {result["conditions"] for result in as_json["candidate"]["results"]} == {"c0"}


def test_paths_are_relative_to_the_folder_they_lie_in() -> None:
    report = reports.five_good_runs()
    reading = report.candidate.readings[0]
    moved = replace(reading, path=Path("results") / reading.path)
    as_json = to_json(replace(report, candidate=replace(report.candidate, readings=(moved,))))
    assert as_json["candidate"]["results"][0]["path"] == reading.path.as_posix()


def test_a_condition_that_is_not_a_number_is_still_json() -> None:
    conditions: dict[str, Condition] = {"eval_config.x": float("nan")}
    report = reports.five_good_runs()
    reading = replace(report.candidate.readings[0], conditions=conditions)
    as_json = _strict(
        to_json(replace(report, candidate=replace(report.candidate, readings=(reading,))))
    )
    assert as_json["conditions"] == {"c0": {"eval_config.x": "nan"}}


def test_failed_runs_and_means_of_families_are_there() -> None:
    as_json = _strict(to_json(reports.every_verdict()))
    assert [run["sae_id"] for run in as_json["failed_runs"]] == ["original_run_1", "jumprelu"]
    sides = [(item["side"], item["family"]["name"]) for item in as_json["families"]]
    assert sides == [("candidate", "custom_sae"), ("baseline", "topk")]
    assert as_json["families"][0]["metrics"]["core.l0"]["n"] == 5
