"""What `csae-bench cache` lists and removes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from csae_bench.activations.cache.folder import last_used
from csae_bench.activations.cache.listing import clear, summaries
from csae_bench.errors import ResultError, UnknownNameError, UsageError
from tests.unit.activations.cache.made import entry, filled

KEY = {
    "kind": "paraphrases", "model": "tiny", "hook_name": "blocks.2.hook_resid_post",
    "dataset": "d", "seed": 3, "context_size": 64, "dtype": "bfloat16",
}  # fmt: skip


def test_an_entry_says_what_it_is_of(tmp_path: Path) -> None:
    path = filled(tmp_path, KEY)
    (one,) = summaries(tmp_path)
    assert (one.kind, one.model, one.hook_name) == ("paraphrases", "tiny", KEY["hook_name"])
    assert (one.dataset, one.seed, one.context_size, one.dtype) == ("d", 3, 64, "bfloat16")
    assert (one.name, one.n_rows, one.is_in_use, one.is_damaged) == (path.name, 24, False, False)
    assert one.n_bytes == sum(file.stat().st_size for file in path.glob("*.safetensors"))
    assert one.last_used is not None
    assert one.last_used.endswith("+00:00")


def test_the_last_used_entry_comes_first(tmp_path: Path) -> None:
    old, newer = filled(tmp_path, KEY), filled(tmp_path, {**KEY, "seed": 4})
    os.utime(newer / "manifest.json", (last_used(old) - 60,) * 2)
    assert [one.name for one in summaries(tmp_path)] == [old.name, newer.name]


@pytest.mark.parametrize("content", [None, b"", b'{"format": 1, "key": {}}'])
def test_a_damaged_or_foreign_manifest_is_listed_and_can_be_cleared(
    content: bytes | None, tmp_path: Path
) -> None:
    path = filled(tmp_path, KEY)
    (path / "manifest.json").unlink()
    if content is not None:
        (path / "manifest.json").write_bytes(content)
    (one,) = summaries(tmp_path)
    assert one.model is None
    assert clear(tmp_path, [one.name]).removed == (one.name,)
    assert not path.exists()


def test_clear_removes_all(tmp_path: Path) -> None:
    paths = [filled(tmp_path, {**KEY, "seed": seed}) for seed in range(3)]
    size = sum(file.stat().st_size for path in paths for file in path.iterdir() if file.is_file())
    (tmp_path / "notes.txt").write_text("not ours")
    cleared = clear(tmp_path)
    assert set(cleared.removed) == {path.name for path in paths}
    assert cleared.n_bytes == size
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "notes.txt"]


def test_clear_removes_what_is_named_by_its_beginning(tmp_path: Path) -> None:
    one, other = filled(tmp_path, KEY), filled(tmp_path, {**KEY, "seed": 4})
    assert clear(tmp_path, [one.name[:6]]).removed == (one.name,)
    assert other.is_dir()


def test_a_wrong_name_removes_nothing_and_suggests_the_right_one(tmp_path: Path) -> None:
    path = filled(tmp_path, KEY)
    wrong = path.name[:-1] + ("0" if path.name[-1] != "0" else "1")
    with pytest.raises(UnknownNameError, match=f"Did you mean '{path.name}'"):
        clear(tmp_path, [path.name, wrong])
    assert path.is_dir()


def test_a_beginning_of_two_names_is_an_error(tmp_path: Path) -> None:
    path = filled(tmp_path, KEY)
    twin = path.with_name(path.name[:15] + ("0" if path.name[-1] != "0" else "1"))
    shutil.copytree(path, twin)
    with pytest.raises(UsageError, match="is the beginning of"):
        clear(tmp_path, [path.name[:8]])
    assert clear(tmp_path, [path.name]).removed == (path.name,)


def test_an_entry_in_use_stays(tmp_path: Path) -> None:
    filled(tmp_path, KEY)
    used, other = entry(tmp_path, KEY), filled(tmp_path, {**KEY, "seed": 4})
    assert {one.name: one.is_in_use for one in summaries(tmp_path)} == {
        used.path.name: True,
        other.name: False,
    }
    cleared = clear(tmp_path)
    assert (cleared.removed, cleared.in_use) == ((other.name,), (used.path.name,))
    used.close()
    assert clear(tmp_path).removed == (used.path.name,)


@pytest.mark.parametrize("place", ["none", "file", "file/below"])
def test_where_no_folder_is_nothing_is_cached(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert summaries(tmp_path / place) == []
    assert clear(tmp_path / place).removed == ()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_entry_that_cannot_be_removed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path, KEY)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ResultError, match="cannot be cleared: Permission denied"):
        clear(tmp_path)
    assert path.is_dir()
