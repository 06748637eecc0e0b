"""csae_bench/hashes.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from csae_bench.support import hashes
from csae_bench.support.hashes import kept_counts, kept_hash


class _Reader:
    """Counts how often the files are read."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self) -> str:
        self.n += 1
        return f"{self.n:064d}"


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is worth keeping the hash of, written long ago."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(hashes, "WORTH_BYTES", 4)
    monkeypatch.setattr(hashes, "_SETTLED_SECONDS", -1.0)
    path = tmp_path / "weights"
    path.write_bytes(b"12345")
    return path


def test_an_unchanged_file_is_read_once(large: Path) -> None:
    read = _Reader()
    assert kept_hash("a", [large], read) == kept_hash("a", [large], read)
    assert read.n == 1


def test_another_kind_of_hash_is_another_value(large: Path) -> None:
    read = _Reader()
    assert kept_hash("a", [large], read) != kept_hash("b", [large], read)


def test_a_changed_file_is_read_again(large: Path) -> None:
    read = _Reader()
    before = kept_hash("a", [large], read)
    large.write_bytes(b"54321")
    os.utime(large, ns=(1, 1))
    assert kept_hash("a", [large], read) != before


def test_a_small_file_is_always_read(large: Path) -> None:
    read = _Reader()
    large.write_bytes(b"1")
    kept_hash("a", [large], read)
    kept_hash("a", [large], read)
    assert read.n == 2


def test_a_file_that_was_just_written_is_not_trusted(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "_SETTLED_SECONDS", 3600.0)
    read = _Reader()
    kept_hash("a", [large], read)
    kept_hash("a", [large], read)
    assert read.n == 2


def test_a_damaged_entry_is_made_again(large: Path, tmp_path: Path) -> None:
    read = _Reader()
    kept_hash("a", [large], read)
    (entry,) = (tmp_path / "cache").rglob("hashes/*")
    entry.write_text("")
    kept_hash("a", [large], read)
    assert read.n == 2


def test_a_cache_that_cannot_be_written_costs_time_alone(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    read = _Reader()
    for _ in range(2):
        assert kept_hash("a", [large], read) == f"{1:064d}"
    assert read.n == 1


def test_a_missing_file_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        kept_hash("a", [tmp_path / "nowhere"], _Reader())


def test_counts_of_an_unchanged_file_are_made_once(large: Path) -> None:
    made: list[int] = []

    def count() -> list[int]:
        made.append(len(made))
        return [7, 31_134, len(made)]

    assert kept_counts("a", [large], count) == kept_counts("a", [large], count) == [7, 31_134, 1]
    large.write_bytes(b"54321")
    os.utime(large, ns=(1, 1))
    assert kept_counts("a", [large], count) == [7, 31_134, 2]


@pytest.mark.parametrize("damaged", ["", "7 31", "7 x end", "end"])
def test_damaged_counts_are_made_again(large: Path, tmp_path: Path, damaged: str) -> None:
    kept_counts("a", [large], lambda: [7, 31])
    (entry,) = (tmp_path / "cache").rglob("hashes/*")
    entry.write_text(damaged)
    assert kept_counts("a", [large], lambda: [8, 32]) == [8, 32]
