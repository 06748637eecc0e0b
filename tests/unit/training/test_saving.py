"""Writing on a disk that may be full, in the room of the cache if there is one."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from csae_bench.activations.cache.draws import ActivationCache
from csae_bench.errors import TrainingError
from csae_bench.training import saving
from csae_bench.training.saving import save
from tests.small_disks import mounted
from tests.unit.activations.cache.made import KEY, draw, draws, shard_files


class Disk:
    """Writes once there is room."""

    def __init__(self, error: Exception, n_failures: int) -> None:
        self.error, self.n_failures, self.n_calls = error, n_failures, 0

    def write(self) -> None:
        self.n_calls += 1
        if self.n_calls <= self.n_failures:
            raise self.error


class Cached:
    """In a cache's place: so many bytes to give back."""

    def __init__(self, n_bytes: int) -> None:
        self.n_bytes, self.asked = n_bytes, list[int]()

    def give_back(self, n_bytes: int) -> int:
        self.asked.append(n_bytes)
        freed = min(n_bytes, self.n_bytes)
        self.n_bytes -= freed
        return freed


FULL = OSError(errno.ENOSPC, "No space left on device")


def _save(disk: Disk, cache: Any = None) -> None:
    save(disk.write, Path(__file__), "the state", cache)


def test_what_can_be_written_costs_no_cache() -> None:
    cached = Cached(2**30)
    _save(Disk(FULL, 0), cached)
    assert cached.asked == []


@pytest.mark.parametrize(
    "error", [FULL, OSError(errno.EDQUOT, "Quota"),
              RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos")],
)  # fmt: skip
def test_a_full_disk_gets_the_cache_s_room_more_each_time(error: Exception) -> None:
    cached, disk = Cached(2**30), Disk(error, 3)
    _save(disk, cached)
    assert cached.asked == [2**26, 2**27, 2**28]
    assert disk.n_calls == 4


def test_a_full_disk_without_anything_to_give_back_is_an_error() -> None:
    disk = Disk(FULL, 9)
    with pytest.raises(TrainingError, match=r"the state cannot be written, .*No space left"):
        _save(disk, Cached(2**26 + 1))
    assert disk.n_calls == 3
    with pytest.raises(TrainingError, match="what was saved is kept"):
        _save(Disk(FULL, 1))


@pytest.mark.parametrize("error", [OSError(errno.EROFS, "Read-only"), RuntimeError("CUDA error")])
def test_another_error_costs_no_cache(error: Exception) -> None:
    cached = Cached(2**30)
    with pytest.raises(TrainingError, match="the state cannot be written"):
        _save(Disk(error, 1), cached)
    assert cached.asked == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 4 MiB."""
    with mounted(tmp_path / "small", "size=4m") as place:
        yield place


@pytest.mark.parametrize("size", [10_000, 400_000])
def test_a_state_finds_room_on_a_disk_that_the_cache_has_filled(
    size: int, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("csae_bench.activations.cache.draws.SHARD_BYTES", 2**18)
    monkeypatch.setattr(saving, "_FIRST_GIVEN_BACK", 2**18)
    cache = ActivationCache(small_disk / "cache", max_bytes=2**30)
    kept = cache.draws(KEY)
    for place in range(200):
        kept.add(draw(place, n_rows=1000))
    assert cache.failure is not None
    n_shards = len(shard_files(next((small_disk / "cache").glob("[0-9a-f]*"))))
    state = small_disk / "state.pt"
    save(lambda: torch.save(torch.zeros(size), state), state, "the state", cache)
    cache.close()
    assert torch.load(state).numel() == size
    files = shard_files(next((small_disk / "cache").glob("[0-9a-f]*")))
    assert len(files) == n_shards if size < 100_000 else 0 < len(files) < n_shards
    read = draws(small_disk / "cache").take((0,))
    assert read is not None
    assert read.tensors["acts"].equal(draw(0, n_rows=1000).tensors["acts"])
