"""Files between two folders: whole, checked, and copied once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typing_extensions import override

from csae_bench.errors import ResultError
from csae_bench.executors import transfer
from csae_bench.executors.transfer import FileState, FolderFiles, copy_changed, copy_file


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderFiles:
    """A folder with files of 0 bytes, less than a chunk, and several chunks."""
    monkeypatch.setattr(transfer, "CHUNK_BYTES", 1000)
    root = tmp_path / "source"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "empty").write_bytes(b"")
    (root / "deep" / "small.json").write_bytes(b"{}")
    (root / "deep" / "er" / "large").write_bytes(os.urandom(3_000) + b"end")
    (root / "deep" / ".hidden").write_bytes(b"unfinished")
    (root / "one.lock").write_bytes(b"")
    (root / ".cells").mkdir()
    (root / ".cells" / "one.json").write_bytes(b"{}")
    return FolderFiles(root)


@pytest.fixture
def target(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path / "target")


def _contents(files: FolderFiles) -> dict[str, bytes]:
    return {
        path.relative_to(files.root).as_posix(): path.read_bytes()
        for path in files.root.rglob("*")
        if path.is_file()
    }


def test_all_files_arrive_but_hidden_ones_and_locks(
    source: FolderFiles, target: FolderFiles
) -> None:
    names = ["empty", "deep/small.json", "deep/er/large"]
    assert copy_changed(source, target, {}) == names
    assert _contents(target) == {name: _contents(source)[name] for name in names}


def test_a_file_is_copied_again_only_when_it_has_changed(
    source: FolderFiles, target: FolderFiles
) -> None:
    known: dict[str, FileState] = {}
    copy_changed(source, target, known)
    assert copy_changed(source, target, known) == []
    (source.root / "deep" / "small.json").write_bytes(b'{"a": 1}')
    assert copy_changed(source, target, known) == ["deep/small.json"]
    assert _contents(target)["deep/small.json"] == b'{"a": 1}'


def test_a_folder_a_file_or_what_is_wanted_can_be_copied_alone(
    source: FolderFiles, target: FolderFiles
) -> None:
    assert copy_changed(source, target, {}, place="deep/er") == ["deep/er/large"]
    assert copy_changed(source, target, {}, place="empty") == ["empty"]
    assert copy_changed(source, target, {}, place="not there") == []
    wanted = copy_changed(source, target, {}, wanted=lambda path: not path.startswith("deep/"))
    assert wanted == ["empty"]


class _Changing(FolderFiles):
    """A source whose file is replaced while it is read, as often as asked."""

    n_left = 0

    @override
    def read(self, path: str, offset: int, size: int) -> bytes:
        if offset and self.n_left:
            self.n_left -= 1
            (self.root / path).write_bytes(os.urandom(3_500 + self.n_left))
        return super().read(path, offset, size)


def test_a_file_that_changes_on_the_way_is_copied_again(
    source: FolderFiles, target: FolderFiles
) -> None:
    changing = _Changing(source.root)
    changing.n_left = 2
    assert copy_changed(changing, target, {}, place="deep/er") == ["deep/er/large"]
    assert _contents(target) == {"deep/er/large": (source.root / "deep/er/large").read_bytes()}


def test_a_file_that_changes_all_the_time_is_an_error_and_does_not_arrive(
    source: FolderFiles, target: FolderFiles
) -> None:
    changing = _Changing(source.root)
    changing.n_left = 100
    with pytest.raises(ResultError, match="deep/er/large: cannot be copied between machines"):
        copy_changed(changing, target, {}, place="deep/er")
    assert _contents(target) == {}


def test_a_file_that_grows_is_copied_as_far_as_it_was_listed(
    source: FolderFiles, target: FolderFiles
) -> None:
    (state,) = source.listing("deep/small.json")
    with (source.root / "deep" / "small.json").open("ab") as file:
        file.write(b" and more")
    assert copy_file(source, target, state)
    assert _contents(target) == {"deep/small.json": b"{}"}


def test_a_file_that_has_gone_is_left_out(source: FolderFiles, target: FolderFiles) -> None:
    (state,) = source.listing("deep/small.json")
    (source.root / "deep" / "small.json").unlink()
    assert not copy_file(source, target, state)
    assert _contents(target) == {}


class _Damaging(FolderFiles):
    """A target that gets one wrong byte."""

    @override
    def write(self, path: str, offset: int, content: bytes) -> None:
        super().write(path, offset, b"?" + content[1:])


def test_what_arrives_damaged_replaces_nothing(source: FolderFiles, tmp_path: Path) -> None:
    damaging = _Damaging(tmp_path / "target")
    (damaging.root / "deep").mkdir(parents=True)
    (damaging.root / "deep" / "small.json").write_bytes(b"as it was")
    with pytest.raises(ResultError):
        copy_changed(source, damaging, {}, place="deep/small.json")
    assert _contents(damaging) == {"deep/small.json": b"as it was"}


def test_calls_that_are_repeated_change_nothing(source: FolderFiles, target: FolderFiles) -> None:
    content = (source.root / "deep/er/large").read_bytes()
    size, digest = len(content), source.digest("deep/er/large", len(content))
    for _ in range(2):
        target.write("a", 0, content[:1000])
    for _ in range(2):
        target.write("a", 1000, content[1000:])
    assert target.finish("a", size, digest)
    assert target.finish("a", size, digest)
    assert not target.finish("a", size, "another")
    assert _contents(target) == {"a": content}


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "a/../../outside"])
def test_no_path_leads_out_of_the_folder(target: FolderFiles, path: str) -> None:
    with pytest.raises(ValueError, match="is not below the folder"):
        target.write(path, 0, b"")
    with pytest.raises(ValueError, match="is not below the folder"):
        target.read(path, 0, 1)


def test_a_folder_of_its_own_is_removed_and_another_one_is_not(tmp_path: Path) -> None:
    own, given = FolderFiles(), FolderFiles(tmp_path)
    own.write("a", 0, b"1")
    own.remove()
    given.remove()
    assert not own.root.exists()
    assert tmp_path.exists()
