"""Several processes, killed ones and a really full disk: the cache works on."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from csae_bench.activations.cache import draws as module
from csae_bench.activations.cache.draws import activation_cache
from csae_bench.activations.cache.folder import read_manifest
from csae_bench.activations.cache.listing import clear, summaries
from csae_bench.errors import ResultError
from tests.unit.activations.cache.made import KEY, draw, draws, shard_files

N_DRAWS = 300
WORK = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from pathlib import Path
from csae_bench.activations.cache import draws as module
from tests.unit.activations.cache.made import draw, draws
module.SHARD_BYTES = 4 * draw(0).n_bytes
cache = draws(Path(sys.argv[1]))
n_read = 0
print("open", flush=True)
sys.stdin.readline()
for place in range({N_DRAWS}):
    if cache.take((place,)) is None:
        cache.add(draw(place))
    else:
        n_read += 1
cache.close()
print(n_read, flush=True)
sys.stdin.readline()
"""


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


def _all_read(root: Path) -> bool:
    cache = draws(root)
    read = [cache.take((place,)) for place in range(N_DRAWS)]
    cache.close()
    return all(
        one is not None and one.tensors["acts"].equal(draw(place).tensors["acts"])
        for place, one in enumerate(read)
    )


def test_processes_that_draw_the_same_at_once_leave_it_once(tmp_path: Path) -> None:
    workers = [Worker(tmp_path) for _ in range(2)]
    for worker in workers:
        worker.go()
    for worker in workers:
        assert int(worker.line()) <= N_DRAWS
        worker.end()
    assert _all_read(tmp_path)
    (one,) = summaries(tmp_path)
    shards = read_manifest(tmp_path / one.name).shards
    assert shards[0].first == (0,)
    assert all(a.after == b.first for a, b in pairwise(shards))
    assert one.n_rows == 4 * N_DRAWS


def test_a_process_reads_what_another_one_has_written_meanwhile(tmp_path: Path) -> None:
    late, early = Worker(tmp_path), Worker(tmp_path)
    early.go()
    assert int(early.line()) == 0
    late.go()
    assert int(late.line()) == N_DRAWS
    for worker in (late, early):
        worker.end()


@pytest.mark.parametrize("seconds", [0.05, 0.3])
def test_a_killed_process_leaves_a_cache_that_works(seconds: float, tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.go()
    time.sleep(seconds)
    worker.kill()
    (one,) = summaries(tmp_path)
    assert not one.is_in_use
    again = Worker(tmp_path)
    again.go()
    assert int(again.line()) == (one.n_rows or 0) // 4
    again.end()
    assert _all_read(tmp_path)
    path = tmp_path / one.name
    listed = {"manifest.json", "in_use", *(file.name for file in shard_files(path))}
    assert {file.name for file in path.iterdir()} == listed


def test_an_entry_that_another_process_uses_is_not_cleared(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    cleared = clear(tmp_path)
    assert (cleared.removed, len(cleared.in_use)) == ((), 1)
    worker.kill()
    assert len(clear(tmp_path).removed) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 512 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("this user cannot mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


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
