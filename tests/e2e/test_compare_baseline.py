"""`csae-bench compare --update-baseline`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.e2e import compare_folders as folders
from tests.e2e.conftest import CsaeBench

RULE = ("--fail-on", "core.ce_loss_score:-0.01")


def _contents(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*.json")}


@pytest.fixture
def renewed(tmp_path: Path, csae_bench: CsaeBench) -> tuple[Path, Path]:
    """Results, and a baseline that was made of them."""
    new, base = folders.family(tmp_path / "new"), tmp_path / "baseline"
    outcome = csae_bench("compare", new, "--baseline", base, "--update-baseline")
    assert outcome.exit_code == 0, outcome.output
    return new, base


def test_a_new_baseline_has_every_result_and_record(renewed: tuple[Path, Path]) -> None:
    new, base = renewed
    assert _contents(base).keys() == _contents(new).keys()


def test_results_are_equal_to_the_baseline_that_was_made_of_them(
    renewed: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    outcome = csae_bench("compare", renewed[0], "--baseline", renewed[1], *RULE, "--json")
    assert outcome.exit_code == 0, outcome.output
    rows = json.loads(outcome.stdout)["comparisons"]
    assert len(rows) > 10
    assert {row["difference"] for row in rows if row["verdict"] == "equivalent"} == {0.0}
    assert not {row["verdict"] for row in rows} & {"missing", "incomparable", "invalid"}


def test_a_baseline_holds_nothing_that_differs_from_run_to_run(
    renewed: tuple[Path, Path], tmp_path: Path
) -> None:
    for text in _contents(renewed[1]).values():
        assert str(tmp_path) not in text
        for key in ("eval_id", "datetime_epoch_millis", "wall_seconds", "started", "peak_memory"):
            assert key not in text
        assert json.loads(text).get("eval_result_details", []) == []
        assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_renewing_with_the_same_results_changes_nothing(
    renewed: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    new, base = renewed
    before = {path: path.stat().st_mtime_ns for path in base.rglob("*.json")}
    outcome = csae_bench("compare", new, "--baseline", base, "--update-baseline")
    assert "changed:" not in outcome.stderr
    assert "new:" not in outcome.stderr
    assert {path: path.stat().st_mtime_ns for path in base.rglob("*.json")} == before


def test_what_changed_is_printed_and_a_regression_is_accepted(
    renewed: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    new, base = renewed
    folders.family(new, ce_loss_score=0.7)
    flags = ("--baseline", base, *RULE)
    assert csae_bench("compare", new, *flags).exit_code == 1
    outcome = csae_bench("compare", new, *flags, "--update-baseline")
    assert outcome.exit_code == 0, outcome.output
    assert "core.ce_loss_score 0.8 -> 0.7" in outcome.stderr
    assert csae_bench("compare", new, *flags).exit_code == 0


def test_what_the_results_lack_is_kept_and_still_missing(
    renewed: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    new, base = renewed
    folders.family(base, "other")
    outcome = csae_bench("compare", new, "--baseline", base, "--update-baseline")
    assert outcome.exit_code == 5
    assert "kept, not among the results: core/" in outcome.stderr
    assert (base / "core" / f"{folders.RELEASE}_other_eval_results.json").exists()


def test_a_failed_run_is_refused_and_the_baseline_is_as_it_was(
    renewed: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    new, base = renewed
    folders.family(new, ce_loss_score=0.7)
    folders.record(new, "topk", "failed", seed=3)
    before = _contents(base)
    outcome = csae_bench("compare", new, "--baseline", base, "--update-baseline")
    assert outcome.exit_code == 4
    assert "the baseline is as it was" in outcome.stderr
    assert _contents(base) == before


def test_an_invalid_sae_is_refused(renewed: tuple[Path, Path], csae_bench: CsaeBench) -> None:
    new, base = renewed
    folders.core(new, "topk", 0.8, ce_loss_with_sae=9.0)
    before = _contents(base)
    outcome = csae_bench("compare", new, "--baseline", base, "--update-baseline")
    assert outcome.exit_code == 4
    assert "worse than with the activation ablated" in outcome.stderr
    assert _contents(base) == before


def test_a_write_that_fails_leaves_every_file_as_it_was(
    renewed: tuple[Path, Path], csae_bench: CsaeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, base = renewed
    folders.family(new, ce_loss_score=0.7)
    before, written = _contents(base), 0
    write_text = Path.write_text

    def full_disk(self: Path, *args: str, **kwargs: str) -> int:
        nonlocal written
        written += 1
        if written > 3:
            raise OSError(28, "No space left on device")
        return write_text(self, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full_disk)
    outcome = csae_bench("compare", new, "--baseline", base, "--update-baseline")
    monkeypatch.undo()
    assert outcome.exit_code == 2
    assert "No space left on device" in outcome.stderr
    assert _contents(base) == before
    assert not [path for path in base.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["../../escaped", "runs", ".hidden", "a\\b", "baseline"])
def test_an_eval_that_is_no_folders_name_is_refused(
    name: str, renewed: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    new, base = renewed
    before = _contents(base.parent)
    odd = folders.core(new, "odd", 0.5)
    odd.write_text(json.dumps({**json.loads(odd.read_text()), "eval_type_id": name}))
    outcome = csae_bench("compare", new, "--baseline", base, "--update-baseline")
    assert outcome.exit_code == 4
    assert f"{odd}: eval_type_id is {name!r}" in outcome.stderr
    assert _contents(base) == {
        path.removeprefix("baseline/"): text
        for path, text in before.items()
        if path.startswith("baseline/")
    }
    assert not list(base.parent.parent.glob("escaped"))


def test_a_folder_of_the_results_is_no_place_for_a_baseline(
    renewed: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    new, _ = renewed
    before = _contents(new)
    outcome = csae_bench("compare", new, "--baseline", new / "core", "--update-baseline")
    assert outcome.exit_code == 2
    assert f"name a folder of its own, such as {new / 'baseline'}" in outcome.stderr
    assert _contents(new) == before
    within = csae_bench("compare", new, "--baseline", new / "baseline", "--update-baseline")
    assert within.exit_code == 0, within.output


def test_two_results_with_one_place_in_a_baseline_are_refused(
    renewed: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    new, base = renewed
    first = folders.core(new, "a_b", 0.5)
    second = first.with_name("other_eval_results.json")
    value = json.loads(first.read_text())
    second.write_text(json.dumps({**value, "sae_lens_id": "a/b"}))
    outcome = csae_bench("compare", new, "--baseline", base, "--update-baseline")
    assert outcome.exit_code == 4
    assert str(first) in outcome.stderr
    assert str(second) in outcome.stderr


def test_an_absolute_path_is_left_out_but_where_it_is_a_condition(
    tmp_path: Path, csae_bench: CsaeBench
) -> None:
    new, base = folders.family(tmp_path / "new", seeds=[0]), tmp_path / "baseline"
    path = new / "core" / f"{folders.RELEASE}_topk_eval_results.json"
    result = json.loads(path.read_text())
    place = os.fspath(tmp_path / "data" / "texts.jsonl")
    result["eval_config"]["dataset"] = place
    result["sae_cfg_dict"]["metadata"]["dataset_path"] = place
    path.write_text(json.dumps(result))
    assert csae_bench("compare", new, "--baseline", base, "--update-baseline").exit_code == 0
    kept = json.loads((base / "core" / path.name).read_text())
    assert kept["eval_config"]["dataset"] == place
    assert kept["sae_cfg_dict"]["metadata"]["dataset_path"] == "texts.jsonl"


RENAMED = "is compared with topk, an SAE of another name"


@pytest.fixture
def renamed(tmp_path: Path) -> tuple[Path, Path]:
    """A candidate whose only SAE has another name than the baseline's."""
    new = folders.family(tmp_path / "new", "renamed")
    return new, folders.family(tmp_path / "old", "topk")


def test_a_renamed_sae_is_said_in_every_output(
    renamed: tuple[Path, Path], tmp_path: Path, csae_bench: CsaeBench
) -> None:
    places = {kind: tmp_path / f"out.{kind}" for kind in ("md", "html", "junit")}
    flags = [part for kind, path in places.items() for part in (f"--{kind}", path)]
    rule = ("--fail-on", "core.ce_loss_score:-0.01")
    outcome = csae_bench("compare", renamed[0], "--baseline", renamed[1], *rule, *flags)
    assert outcome.exit_code == 0, outcome.output
    assert RENAMED in " ".join(outcome.stdout.split())
    assert "1 SAE is compared with one of another name" in outcome.stdout.splitlines()[-1]
    assert RENAMED in places["html"].read_text()
    assert RENAMED in places["md"].read_text()
    assert "an SAE of another name" in places["junit"].read_text()
    as_json = csae_bench("compare", renamed[0], "--baseline", renamed[1], *rule, "--json").stdout
    assert any(RENAMED in warning for warning in json.loads(as_json)["warnings"])
    assert "names are equal" in {finding["rule"] for finding in json.loads(as_json)["findings"]}


def test_a_renamed_sae_does_not_pass_a_strict_gate(
    renamed: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    rule = ("--fail-on", "core.ce_loss_score:-0.01", "--strict")
    outcome = csae_bench("compare", renamed[0], "--baseline", renamed[1], *rule)
    assert outcome.exit_code == 3, outcome.output


def test_without_a_rule_a_renamed_sae_is_compared_and_has_not_passed(
    renamed: tuple[Path, Path], csae_bench: CsaeBench
) -> None:
    outcome = csae_bench("compare", renamed[0], "--baseline", renamed[1])
    assert outcome.exit_code == 0, outcome.output
    assert outcome.stdout.splitlines()[-1].startswith("Compared: 1 SAE is compared with one")


def test_equal_names_are_not_mentioned(tmp_path: Path, csae_bench: CsaeBench) -> None:
    new, old = (folders.family(tmp_path / side) for side in ("new", "old"))
    assert "another name" not in csae_bench("compare", new, "--baseline", old).output
