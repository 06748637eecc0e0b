"""Replays of shards on workers, with known ends."""

from __future__ import annotations

import pytest

from benchmarks.on_paper.replay import (
    Shards,
    estimate,
    replay,
    sharding_by_need,
    sharding_of_the_executors,
)

SECONDS = {
    "equal": [2.0] * 12,
    "one long": [20.0] + [1.0] * 20,
    "falling": [float(12 - i) for i in range(12)],
    "alone": [3.0],
}


def test_equal_jobs_end_after_their_share() -> None:
    done = replay([2.0] * 12, 4)
    assert done.seconds == 6
    assert done.busy == [6.0] * 4
    assert done.busy_share == 1


def test_a_rest_costs_one_more_round() -> None:
    assert replay([2.0] * 13, 4).seconds == 8


def test_one_long_job_is_the_end_of_all() -> None:
    done = replay([20.0] + [1.0] * 20, 3)
    assert done.seconds == done.last == 20
    assert sorted(done.busy) == [10, 10, 20]


def test_long_job_that_is_begun_last_is_waited_for() -> None:
    assert replay([1.0] * 20 + [20.0], 2).seconds == 30


def test_one_worker_makes_all_one_after_the_other() -> None:
    for seconds in SECONDS.values():
        one = estimate(seconds, 1)
        ends = [replay(seconds, 1).seconds, one.with_last, one.at_least, one.at_most, one.rounds]
        assert ends == pytest.approx([sum(seconds)] * 5)  # the last digit of a sum


@pytest.mark.parametrize("n_workers", [1, 2, 5, 64])
@pytest.mark.parametrize("name", SECONDS)
def test_replay_ends_within_the_bounds(name: str, n_workers: int) -> None:
    bounds = estimate(SECONDS[name], n_workers)
    end = replay(SECONDS[name], n_workers).seconds
    # the last digit of a sum
    assert bounds.at_least - 1e-9 <= end <= bounds.at_most + 1e-9
    assert bounds.at_least <= bounds.with_last <= bounds.at_most


@pytest.mark.parametrize("n_shards", [3, 12, 13, 25])
def test_rounds_are_exact_for_equal_shards(n_shards: int) -> None:
    seconds = [2.0] * n_shards
    assert estimate(seconds, 4).rounds == replay(seconds, 4).seconds


def places(parts: Shards) -> list[int]:
    return sorted(place for part in parts for place in part)


def test_executors_split_each_group_for_all_workers() -> None:
    parts = sharding_of_the_executors(["a"] * 8 + ["b"] * 4, 4)
    assert [len(part) for part in parts] == [2] * 4 + [1] * 4
    assert places(parts) == list(range(12))


def test_by_need_no_group_is_split_that_would_only_be_drawn_again() -> None:
    rows = ["a"] * 4 + ["b"] * 4
    assert sharding_by_need(rows, 2, drawing=3) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(sharding_of_the_executors(rows, 2)) == 4


def test_by_need_one_group_is_split_for_all_workers() -> None:
    assert sharding_by_need(["a"] * 4, 2, drawing=3) == [[0, 1], [2, 3]]


def test_by_need_a_group_is_split_where_drawing_is_free() -> None:
    # three groups on two workers: 6 + 6 against 8 + 4
    parts = sharding_by_need(["a"] * 4 + ["b"] * 4 + ["c"] * 4, 2, drawing=0)
    assert replay([float(len(part)) for part in parts], 2).seconds == 6
    assert places(parts) == list(range(12))


@pytest.mark.parametrize("n_workers", [1, 3, 8, 64])
@pytest.mark.parametrize("drawing", [0.0, 3.0])
def test_by_need_never_ends_later_than_the_executors(n_workers: int, drawing: float) -> None:
    rows = [f"group {place % 5}" for place in range(47)]
    ends = [
        replay([drawing + len(part) for part in parts], n_workers).seconds
        for parts in (
            sharding_by_need(rows, n_workers, drawing=drawing),
            sharding_of_the_executors(rows, n_workers),
        )
    ]
    assert ends[0] <= ends[1]
