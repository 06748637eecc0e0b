"""The folder: its limit, what makes room, and what may be removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from csae_bench.activations.cache.folder import CacheFolder, NoRoom, in_use, last_used
from csae_bench.activations.cache.folder import read_manifest as manifest
from tests.unit.activations.cache.made import MIB, entry, filled, shard_files, write

OLD, NEWER = {"model": "old"}, {"model": "newer"}


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two entries of three shards each, the first one not used for an hour."""
    old, newer = filled(tmp_path, OLD), filled(tmp_path, NEWER)
    an_hour_ago = last_used(newer) - 3600
    os.utime(old / "manifest.json", (an_hour_ago, an_hour_ago))
    return old, newer


def _size(*paths: Path) -> int:
    return sum(manifest(path).n_bytes for path in paths)


def test_the_last_shards_of_the_entry_not_used_for_longest_make_room(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    old, newer = two
    first, used = shard_files(old)[0], last_used(old)
    CacheFolder(tmp_path).make_room(1, limit=_size(old, newer) - _size(old) // 2)
    assert shard_files(old) == [first]
    assert list(old.glob("*.safetensors")) == [first]
    assert last_used(old) == used
    assert len(shard_files(newer)) == 3


def test_an_entry_without_a_shard_is_gone(two: tuple[Path, Path], tmp_path: Path) -> None:
    old, newer = two
    CacheFolder(tmp_path).make_room(1, limit=_size(newer))
    assert not old.exists()
    assert len(shard_files(newer)) == 2
    assert CacheFolder(tmp_path).entries() == [newer]


def test_nothing_is_removed_within_the_limit(two: tuple[Path, Path], tmp_path: Path) -> None:
    CacheFolder(tmp_path).make_room(100, limit=_size(*two) + 100)
    assert [len(shard_files(path)) for path in two] == [3, 3]


def test_what_would_not_be_enough_removes_nothing(two: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(NoRoom):
        CacheFolder(tmp_path).make_room(100, limit=99)
    assert [len(shard_files(path)) for path in two] == [3, 3]


def test_an_entry_in_use_makes_no_room(two: tuple[Path, Path], tmp_path: Path) -> None:
    old, newer = two
    used = entry(tmp_path, OLD)
    os.utime(old / "manifest.json", (0, 0))
    CacheFolder(tmp_path).make_room(1, limit=_size(*two))
    assert (len(shard_files(old)), len(shard_files(newer))) == (3, 2)
    with pytest.raises(NoRoom):
        CacheFolder(tmp_path).make_room(1, limit=_size(old))
    used.close()
    CacheFolder(tmp_path).make_room(1, limit=_size(*two))
    assert (len(shard_files(old)), len(shard_files(newer))) == (2, 2)


def test_opening_and_reading_is_use(two: tuple[Path, Path], tmp_path: Path) -> None:
    old, newer = two
    one = entry(tmp_path, OLD)
    assert last_used(old) >= last_used(newer)
    os.utime(old / "manifest.json", (0, 0))
    shard = one.shard_at((0,))
    assert shard is not None
    one.read(shard)
    assert last_used(old) >= last_used(newer)


def test_an_entry_is_in_use_until_it_is_closed(tmp_path: Path) -> None:
    one, other = entry(tmp_path), entry(tmp_path)
    for used in (one, other):
        assert in_use(one.path)
        used.close()
    assert not in_use(one.path)
    assert list((one.path / "in_use").iterdir()) == []


def test_writing_beyond_the_limit_takes_the_room_of_others(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    old, newer = two
    one = entry(tmp_path, max_bytes=_size(old, newer))
    for first in (0, 2):
        write(one, first)
    assert (len(shard_files(old)), len(shard_files(newer))) == (1, 3)
    assert _size(old, newer, one.path) <= one.max_bytes


def test_what_does_not_fit_at_all_is_refused(tmp_path: Path) -> None:
    one = entry(tmp_path, max_bytes=10)
    with pytest.raises(NoRoom):
        write(one, 0)
    assert list(one.path.glob("*.safetensors")) == []


def test_files_of_others_in_the_folder_are_no_entries(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / ("a" * 16)).write_text("a file")
    (tmp_path / ("b" * 16)).symlink_to(two[0])
    assert CacheFolder(tmp_path).entries() == sorted(two)
    CacheFolder(tmp_path).make_room(1, limit=_size(*two))
    assert {path.name for path in tmp_path.iterdir()} == {
        ".lock", "notes", "a" * 16, "b" * 16, *(path.name for path in two),
    }  # fmt: skip


@pytest.mark.parametrize("content", [None, b"{"])
def test_a_damaged_entry_makes_room_first(
    content: bytes | None, two: tuple[Path, Path], tmp_path: Path
) -> None:
    old, newer = two
    (newer / "manifest.json").unlink()
    if content is not None:
        (newer / "manifest.json").write_bytes(content)
    CacheFolder(tmp_path).make_room(1, limit=_size(old) + 1)
    assert not newer.exists()
    assert len(shard_files(old)) == 3


def test_no_folder_has_no_entries(tmp_path: Path) -> None:
    assert CacheFolder(tmp_path / "none").entries() == []
    CacheFolder(tmp_path / "none").make_room(10, limit=MIB)


def test_a_full_disk_can_be_made_room_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path, OLD)
    first, *others = shard_files(path)
    fsync = os.fsync

    def full_until_a_file_is_gone(descriptor: int) -> None:
        if all(file.exists() for file in others):
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", full_until_a_file_is_gone)
    CacheFolder(tmp_path).make_room(1, limit=first.stat().st_size + 1)
    assert shard_files(path) == [first]
    assert not any(file.exists() for file in others)
