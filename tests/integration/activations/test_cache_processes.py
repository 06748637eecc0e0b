"""Several processes, killed ones and a really full disk: the cache works on."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from csae_bench.activations.cache import draws as module
from csae_bench.activations.cache.draws import activation_cache
from csae_bench.activations.cache.folder import Shard, read_manifest
from csae_bench.activations.cache.listing import clear, summaries
from csae_bench.errors import ResultError
from tests.small_disks import mounted
from tests.unit.activations.cache.made import KEY, draw, draws, shard_files

N_SHARDS = 75
WORK = f"""
import sys
from pathlib import Path
from csae_bench.activations.cache.entry import Entry
from csae_bench.activations.cache.folder import CacheFolder
entry = Entry(CacheFolder(Path(sys.argv[1])), {{"model": "m"}}, max_bytes=2**30)
n_read = 0
print("open", flush=True)
sys.stdin.readline()
for place in range({N_SHARDS}):
    shard = entry.shard_at((place,))
    if shard is None:
        content = bytes([place]) * 100_000
        entry.write(content, first=(place,), after=(place + 1,), n_rows=4)
    else:
        assert entry.read(shard) == bytes([place]) * 100_000
        n_read += 1
entry.close()
print(n_read, flush=True)
sys.stdin.readline()
"""
"""It imports no torch, to start within a second."""


class Worker:
    """A process that draws all, once it is told to."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WORK, str(root)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.line() == "open", self._process.communicate()[1]

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> None:
        _, error = self._process.communicate("\n")
        assert self._process.returncode == 0, error


def _listed(root: Path) -> list[Shard]:
    (one,) = summaries(root)
    return list(read_manifest(root / one.name).shards)


def _are_whole(root: Path) -> bool:
    """Whether each place is there once, with its content, and nothing else."""
    (one,) = summaries(root)
    shards = _listed(root)
    files = {file.name for file in (root / one.name).iterdir()}
    return (
        files == {"manifest.json", "in_use", *(shard.file for shard in shards)}
        and [shard.first for shard in shards] == [(place,) for place in range(N_SHARDS)]
        and all(
            (root / one.name / shard.file).read_bytes() == bytes([place]) * 100_000
            for place, shard in enumerate(shards)
        )
    )


def test_processes_that_draw_the_same_at_once_leave_it_once(tmp_path: Path) -> None:
    workers = [Worker(tmp_path) for _ in range(3)]
    for worker in workers:
        worker.go()
    for worker in workers:
        assert int(worker.line()) <= N_SHARDS
        worker.end()
    assert _are_whole(tmp_path)


def test_a_process_reads_what_another_one_has_written_meanwhile(tmp_path: Path) -> None:
    late, early = Worker(tmp_path), Worker(tmp_path)
    early.go()
    assert int(early.line()) == 0
    late.go()
    assert int(late.line()) == N_SHARDS
    for worker in (late, early):
        worker.end()


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.3])
def test_a_killed_process_leaves_a_cache_that_works(seconds: float, tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.go()
    time.sleep(seconds)
    worker.kill()
    assert not summaries(tmp_path)[0].is_in_use
    n_written = len(_listed(tmp_path))
    again = Worker(tmp_path)
    again.go()
    assert int(again.line()) == n_written
    again.end()
    assert _are_whole(tmp_path)


def test_an_entry_that_another_process_uses_is_not_cleared(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    cleared = clear(tmp_path)
    assert (cleared.removed, len(cleared.in_use)) == ((), 1)
    worker.kill()
    assert len(clear(tmp_path).removed) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 512 KiB."""
    with mounted(tmp_path / "small", "size=512k") as place:
        yield place


def _draw_forty(root: Path) -> None:
    with activation_cache(root, 1) as cache:
        assert cache is not None
        kept = cache.draws(KEY)
        for place in range(40):
            kept.add(draw(place, n_rows=1000))


def test_a_really_full_disk_is_an_error_and_what_was_written_stays(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARD_BYTES", 100 * 1024)
    with pytest.raises(ResultError, match="No space left on device"):
        _draw_forty(small_disk)
    (one,) = summaries(small_disk)
    files = {file.name for file in (small_disk / one.name).iterdir()}
    listed = {file.name for file in shard_files(small_disk / one.name)}
    assert files == {"manifest.json", "in_use", *listed}
    assert len(listed) >= 2
    read = draws(small_disk).take((0,))
    assert read is not None
    assert read.tensors["acts"].equal(draw(0, n_rows=1000).tensors["acts"])
