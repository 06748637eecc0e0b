"""One entry: what is written is read back or made again, never half of it."""

from __future__ import annotations

import errno
import os
import warnings
from pathlib import Path

import pytest

from csae_bench.activations.cache.entry import CacheWarning
from csae_bench.activations.cache.folder import read_manifest
from csae_bench.activations.cache.shards import unpack
from csae_bench.errors import ResultError
from tests.unit.activations.cache.made import KEY, entry, filled, shard_files, write


def _first_number(content: bytes | None) -> float | None:
    return None if content is None else unpack(content)[0].tensors["acts"][0, 0].item()


def _read(one, place: int) -> float | None:
    shard = one.shard_at((place,))
    return None if shard is None else _first_number(one.read(shard))


def test_shards_are_found_by_any_place_within(tmp_path: Path) -> None:
    filled(tmp_path, KEY)
    one = entry(tmp_path)
    assert [_read(one, place) for place in range(7)] == [0, 0, 2, 2, 4, 4, None]


def test_another_key_is_another_entry(tmp_path: Path) -> None:
    filled(tmp_path, KEY)
    assert entry(tmp_path, {**KEY, "seed": 1}).shard_at((0,)) is None


def test_the_manifest_says_in_clear_what_the_key_is_made_of(tmp_path: Path) -> None:
    path = filled(tmp_path, KEY)
    assert read_manifest(path).key == KEY
    assert read_manifest(path).n_rows == 24
    assert sum(file.stat().st_size for file in shard_files(path)) == read_manifest(path).n_bytes


@pytest.mark.parametrize("harm", ["flip", "truncate", "extend", "empty", "remove", "folder"])
def test_a_broken_shard_is_said_and_made_again(harm: str, tmp_path: Path) -> None:
    path = filled(tmp_path, KEY)
    file = shard_files(path)[1]
    content = file.read_bytes()
    if harm == "flip":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif harm == "truncate":
        file.write_bytes(content[:-1])
    elif harm == "extend":
        file.write_bytes(content + b"0")
    elif harm == "empty":
        file.write_bytes(b"")
    else:
        file.unlink()
        if harm == "folder":
            file.mkdir()
    one = entry(tmp_path)
    with pytest.warns(CacheWarning, match=r"safetensors: .*; the model runs for these"):
        assert _read(one, 2) is None
    if harm == "folder":
        return  # nothing that is ours lies there; it stays, and so does the warning
    assert one.shard_at((2,)) is None
    assert (_read(one, 0), _read(one, 4)) == (0, 4)
    write(one, 2)
    assert _read(one, 2) == 2
    assert len(shard_files(path)) == 3


def test_a_shard_that_cannot_be_removed_is_not_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path, KEY)
    shard_files(path)[0].write_bytes(b"")
    one = entry(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("os.replace", _raise(errno.EROFS))
        with pytest.warns(CacheWarning):
            assert _read(one, 0) is None
        assert one.shard_at((0,)) is None
    write(one, 0)
    assert _read(one, 0) == 0
    assert len(read_manifest(path).shards) == 3


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 2, "key": {}}', b"\xff"])
def test_a_broken_manifest_is_said_and_the_entry_begins_again(
    content: bytes, tmp_path: Path
) -> None:
    path = filled(tmp_path, KEY)
    (path / "manifest.json").write_bytes(content)
    with pytest.warns(CacheWarning, match=r"manifest\.json: is damaged"):
        one = entry(tmp_path)
    assert one.shard_at((0,)) is None
    assert list(path.glob("*.safetensors")) == []
    write(one, 0)
    assert _read(one, 0) == 0


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    path = filled(tmp_path, KEY)
    text = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(text.replace(shard_files(path)[0].name, "../../x"))
    with pytest.raises(ValueError, match="file"):
        read_manifest(path)


def test_an_entry_copied_under_another_name_is_not_used(tmp_path: Path) -> None:
    path = filled(tmp_path, KEY)
    other = entry(tmp_path, {**KEY, "seed": 1})
    other.close()
    (other.path / "manifest.json").write_bytes((path / "manifest.json").read_bytes())
    assert entry(tmp_path, {**KEY, "seed": 1}).shard_at((0,)) is None


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    path = filled(tmp_path, KEY)
    left = [path / ".unfinished-1", path / "000000009_ab.safetensors", path / "in_use" / "dead"]
    for file in left:
        file.write_bytes(b"half")
    (tmp_path / ".trash-1").mkdir()
    one = entry(tmp_path)
    assert not any(file.exists() for file in [*left, tmp_path / ".trash-1"])
    assert _read(one, 0) == 0


def test_a_second_process_adds_nothing_that_is_there(tmp_path: Path) -> None:
    one, other = entry(tmp_path), entry(tmp_path)
    write(one, 0)
    write(other, 0)
    write(other, 2)
    assert [_read(one, place) for place in (0, 2)] == [0, 2]
    assert len(shard_files(one.path)) == 2


def _raise(number: int):
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("function", ["os.fsync", "os.replace"])
def test_a_full_disk_names_the_folder_and_leaves_nothing_half_written(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = entry(tmp_path)
    write(one, 0)
    before = {path: path.read_bytes() for path in one.path.iterdir() if path.is_file()}
    monkeypatch.setattr(function, _raise(errno.ENOSPC))
    with pytest.raises(ResultError) as caught:
        write(one, 2)
    assert str(tmp_path) in str(caught.value)
    for expected in ("No space left", "MiB free", "lower activations.cache_gib", "cache_gib=0"):
        assert expected in str(caught.value)
    assert {path: path.read_bytes() for path in one.path.iterdir() if path.is_file()} == before
    assert _read(one, 0) == 0


def test_a_full_disk_between_shard_and_manifest_leaves_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = entry(tmp_path)
    fail, n_writes = _raise(errno.ENOSPC), 0
    fsync = os.fsync

    def second_fails(descriptor: int) -> None:
        nonlocal n_writes
        n_writes += 1
        fail() if n_writes == 2 else fsync(descriptor)

    monkeypatch.setattr("os.fsync", second_fails)
    with pytest.raises(ResultError, match="No space left"):
        write(one, 0)
    assert list(one.path.glob("*.safetensors")) == []
    assert read_manifest(one.path).shards == ()


@pytest.mark.parametrize("place", ["file/below", "/proc/nothing"])
def test_a_folder_that_cannot_be_made_is_an_error(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="activations cannot be kept there"):
        entry(tmp_path / place)


def test_a_folder_that_is_removed_while_it_is_in_use_is_made_again(tmp_path: Path) -> None:
    import shutil

    one = entry(tmp_path / "cache")
    write(one, 0)
    shutil.rmtree(tmp_path / "cache")
    assert one.shard_at((0,)) is None
    write(one, 2)
    assert _read(one, 2) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one.close()
