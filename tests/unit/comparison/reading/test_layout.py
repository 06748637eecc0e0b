"""csae_bench/comparison/reading/layout.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from csae_bench.comparison.reading.layout import ResultFile, Unreadable, result_files
from csae_bench.errors import UsageError


def make(root: Path, *places: str) -> None:
    for place in places:
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")


def places(root: Path, *, records: bool = False) -> set[str]:
    return {
        each.path.relative_to(root).as_posix()
        for each in result_files(root)
        if isinstance(each, ResultFile) and each.is_record == records
    }


def test_ours_are_one_folder_deep_and_no_deeper(tmp_path: Path) -> None:
    make(tmp_path, "core/a.json", "mig/a.json", "runs/a.json", "other/core/b.json")
    assert places(tmp_path) == {"core/a.json", "mig/a.json"}
    assert places(tmp_path, records=True) == {"runs/a.json"}


def test_published_ones_lie_at_any_depth(tmp_path: Path) -> None:
    where = {"a.json", "core/b.json", "core/release/c.json", f"{'deep/' * 200}d.json"}
    make(tmp_path, *where)
    assert places(tmp_path) == where


@pytest.mark.parametrize("folder", ["baseline", "checkpoints", "artifacts", "cache", ".hidden"])
def test_folders_that_hold_something_else_are_left_alone(tmp_path: Path, folder: str) -> None:
    make(
        tmp_path,
        "core/a.json",
        f"{folder}/a.json",
        f"{folder}/core/a.json",
        f"core/{folder}/a.json",
    )
    assert places(tmp_path) == {"core/a.json"}


def test_a_folder_with_runs_of_its_own_is_another_set(tmp_path: Path) -> None:
    make(tmp_path, "a.json", "set/core/a.json", "set/runs/a.json")
    assert places(tmp_path) == {"a.json"}


def test_a_baseline_is_a_set_when_it_is_named_itself(tmp_path: Path) -> None:
    make(tmp_path, "baseline/core/a.json", "baseline/runs/a.json")
    assert places(tmp_path / "baseline") == {"core/a.json"}


def test_only_json_files_that_are_not_hidden_count(tmp_path: Path) -> None:
    make(tmp_path, "core/a.json", "core/b.txt", "core/.c.json.tmp", "core/.d.json")
    (tmp_path / "core" / "folder.json").mkdir()
    assert places(tmp_path) == {"core/a.json"}


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/a.json", "results/runs/a.json")
    (tmp_path / "results" / "core").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "results" / "flat.json").symlink_to(tmp_path / "elsewhere" / "a.json")
    assert places(tmp_path / "results") == {"core/a.json", "flat.json"}


def test_a_link_to_itself_ends(tmp_path: Path) -> None:
    make(tmp_path, "core/a.json")
    (tmp_path / "core" / "again").symlink_to(tmp_path)
    assert "core/a.json" in places(tmp_path)


def test_a_link_to_nothing_is_reported(tmp_path: Path) -> None:
    make(tmp_path, "core/a.json")
    (tmp_path / "core" / "b.json").symlink_to(tmp_path / "gone.json")
    unreadable = [each for each in result_files(tmp_path) if isinstance(each, Unreadable)]
    assert [each.path.name for each in unreadable] == ["b.json"]
    assert "b.json: cannot be read" in unreadable[0].why


def test_the_order_is_that_of_the_names(tmp_path: Path) -> None:
    make(tmp_path, "core/b.json", "core/a.json", "absorption/c.json")
    collected = [collected.path.name for collected in result_files(tmp_path)]
    assert collected == ["c.json", "a.json", "b.json"]


def test_names_may_be_unicode_or_no_text_at_all(tmp_path: Path) -> None:
    make(tmp_path, "core/Grüße 模型.json")
    (tmp_path / "core" / os.fsdecode(b"\xff.json")).write_text("{}")
    assert places(tmp_path) == {"core/Grüße 模型.json", f"core/{os.fsdecode(bytes([255]))}.json"}


@pytest.mark.parametrize(("name", "why"), [("gone", "does not exist"), ("file", "is not a folder")])
def test_what_is_no_folder_is_a_usage_error(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=f"{name} {why}"):
        list(result_files(tmp_path / name))
