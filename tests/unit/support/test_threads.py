"""Work by several threads: in order, a few items at a time, and one at a time within."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from csae_bench.support import threads
from csae_bench.support.threads import limit_threads, mapped, n_threads


@pytest.fixture(autouse=True)
def _no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_limit", None)


def test_threads_are_those_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert n_threads() == 3
    limit_threads(5)
    assert n_threads() == 5
    limit_threads(None)
    monkeypatch.setenv("OMP_NUM_THREADS", "all of them")
    assert n_threads() == threads.n_cores()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_results_are_in_the_order_of_the_items(n: int) -> None:
    limit_threads(n)
    assert list(mapped(lambda item: item**2, range(100))) == [i**2 for i in range(100)]


def test_as_many_work_at_a_time_as_are_allowed() -> None:
    limit_threads(3)
    together = threading.Barrier(3, timeout=20)
    list(mapped(lambda _: together.wait(), range(3)))  # raises if they come one after the other


def test_within_there_is_one_thread_and_afterwards_all_again() -> None:
    limit_threads(2)
    assert list(mapped(lambda _: n_threads(), range(4))) == [1] * 4
    assert list(mapped(lambda _: len(list(mapped(str, range(3)))), range(2))) == [3, 3]
    assert n_threads() == 2


def test_items_are_made_a_few_at_a_time() -> None:
    limit_threads(2)
    made: list[int] = []

    def items() -> Iterator[int]:
        for i in range(1000):
            made.append(i)
            yield i

    results = mapped(str, items())
    assert next(results) == "0"
    assert len(made) <= 2 * 2 * 8


def test_the_first_error_is_raised_and_later_work_goes_on_as_before() -> None:
    limit_threads(2)

    def work(item: int) -> int:
        if item == 3:
            raise ValueError("3")
        return item

    with pytest.raises(ValueError, match="3"):
        list(mapped(work, range(10)))
    assert list(mapped(lambda _: n_threads(), range(2))) == [1, 1]
    assert n_threads() == 2
