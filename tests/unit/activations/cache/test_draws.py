"""Draws as a training uses them: found, added, and written in time."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
import torch

from csae_bench.activations.cache import draws as module
from csae_bench.activations.cache.draws import ActivationCache, DrawCache, activation_cache
from csae_bench.activations.cache.entry import CacheWarning
from csae_bench.activations.cache.folder import read_manifest
from csae_bench.errors import ResultError
from tests.unit.activations.cache.made import KEY, MIB, draw, draws, shard_files

DRAW_BYTES = draw(0).n_bytes


@pytest.fixture(autouse=True)
def shards_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD_BYTES", 4 * DRAW_BYTES)


def _numbers(cache: DrawCache, places: range) -> list[float | None]:
    taken = [cache.take((place,)) for place in places]
    return [None if one is None else one.tensors["acts"][0, 0].item() for one in taken]


def _add(cache: DrawCache, places: range) -> None:
    for place in places:
        cache.add(draw(place))


def test_what_was_added_is_found_by_the_next_one(tmp_path: Path) -> None:
    first = draws(tmp_path)
    assert _numbers(first, range(3)) == [None] * 3
    _add(first, range(10))
    first.close()
    second = draws(tmp_path)
    assert _numbers(second, range(11)) == [*range(10), None]
    assert len(shard_files(second._entry.path)) == 3, "two full ones and the rest"


def test_a_later_training_goes_on_where_the_cache_ends(tmp_path: Path) -> None:
    for places in (range(6), range(6, 13), range(30, 32)):
        cache = draws(tmp_path)
        _add(cache, places)
        cache.close()
    assert _numbers(draws(tmp_path), range(14)) == [*range(13), None]
    assert _numbers(draws(tmp_path), range(29, 33)) == [None, 30, 31, None]


def test_a_second_reader_finds_what_is_not_written_yet(tmp_path: Path) -> None:
    cache = draws(tmp_path)
    _add(cache, range(2))
    assert _numbers(cache, range(3)) == [0, 1, None]


def test_a_draw_is_given_once_and_read_again_if_wanted(tmp_path: Path) -> None:
    cache = draws(tmp_path)
    _add(cache, range(4))
    taken = cache.take((1,))
    assert taken is not None
    taken.tensors["acts"].fill_(99)  # as a careless caller may
    assert _numbers(cache, range(4)) == [0, 1, 2, 3]


def test_draws_of_two_processes_at_once_are_written_once(tmp_path: Path) -> None:
    one, other = draws(tmp_path), draws(tmp_path)
    for place in range(8):
        one.add(draw(place))
        other.add(draw(place))
    _add(other, range(8, 10))
    one.close()
    other.close()
    manifest = read_manifest(one._entry.path)
    assert [(shard.first, shard.after) for shard in manifest.shards] == [
        ((0,), (4,)), ((4,), (8,)), ((8,), (10,)),
    ]  # fmt: skip


def test_only_what_another_process_has_not_written_is_added(tmp_path: Path) -> None:
    one, other = draws(tmp_path), draws(tmp_path)
    _add(other, range(3))  # not written yet
    _add(one, range(1, 3))
    one.close()
    other.close()
    manifest = read_manifest(one._entry.path)
    assert [(shard.first, shard.after) for shard in manifest.shards] == [
        ((0,), (1,)), ((1,), (3,)),
    ]  # fmt: skip
    assert _numbers(draws(tmp_path), range(4)) == [0, 1, 2, None]


def _no_space(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _fill_the_disk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with activation_cache(root, 1) as cache:
        assert cache is not None
        kept = cache.draws(KEY)
        _add(kept, range(4))
        assert cache.failure is None
        monkeypatch.setattr("os.fsync", _no_space)
        _add(kept, range(4, 9))
        assert cache.failure is not None
        assert _numbers(kept, range(5)) == [0, 1, 2, 3, None]


def test_a_full_disk_is_kept_as_failure_and_stops_no_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ResultError, match="No space left") as caught:
        _fill_the_disk(tmp_path, monkeypatch)
    assert str(tmp_path) in str(caught.value)
    monkeypatch.undo()
    assert _numbers(draws(tmp_path), range(5)) == [0, 1, 2, 3, None]


def _interrupted(root: Path) -> None:
    with activation_cache(root, 1) as cache:
        assert cache is not None
        _add(cache.draws(KEY), range(3))
        raise KeyboardInterrupt


def test_an_interrupted_training_keeps_what_it_drew(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _interrupted(tmp_path)
    assert _numbers(draws(tmp_path), range(4)) == [0, 1, 2, None]


def test_another_error_is_not_hidden_by_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws(tmp_path).close()
    monkeypatch.setattr("os.fsync", _no_space)
    with pytest.raises(KeyboardInterrupt):
        _interrupted(tmp_path)


def _add_forty(root: Path) -> DrawCache:
    cache = draws(root, max_bytes=3000)
    _add(cache, range(40))
    cache.close()
    return cache


def test_a_full_cache_keeps_its_beginning_and_says_so_once(tmp_path: Path) -> None:
    with pytest.warns(CacheWarning, match="the cache is full, at activations.cache_gib=") as said:
        cache = _add_forty(tmp_path)
    assert len(said) == 1
    read = _numbers(draws(tmp_path), range(41))
    n_kept = read.index(None)
    assert n_kept > 0
    assert read == [*range(n_kept), *[None] * (41 - n_kept)]
    assert read_manifest(cache._entry.path).n_bytes <= 3000


def test_two_sources_of_one_training_share_what_has_one_key(tmp_path: Path) -> None:
    cache = ActivationCache(tmp_path, max_bytes=100 * MIB)
    assert cache.draws(KEY) is cache.draws(dict(KEY))
    assert cache.draws(KEY) is not cache.draws({**KEY, "seed": 1})
    cache.close()


@pytest.mark.parametrize(("root", "gib"), [(None, 1.0), ("here", 0.0)])
def test_without_a_folder_or_a_limit_there_is_no_cache(
    root: str | None, gib: float, tmp_path: Path
) -> None:
    with activation_cache(None if root is None else tmp_path / root, gib) as cache:
        assert cache is None
    assert list(tmp_path.iterdir()) == []


def test_draws_may_be_taken_and_added_in_another_thread(tmp_path: Path) -> None:
    cache, read = draws(tmp_path), list[float | None]()

    def draw_all() -> None:
        for place in range(50):
            if cache.take((place,)) is None:
                cache.add(draw(place))
            read.extend(_numbers(cache, range(place, place + 1)))

    thread = threading.Thread(target=draw_all)
    thread.start()
    thread.join()
    cache.close()
    assert read == list(range(50))
    assert torch.equal(draws(tmp_path).take((49,)).tensors["acts"], draw(49).tensors["acts"])  # pyright: ignore
