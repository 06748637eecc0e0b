"""What upstream code does to a process, undone."""

from __future__ import annotations

import warnings

import pytest
import torch

from csae_bench.errors import EvalError
from csae_bench.upstream.isolation import (
    Halved,
    halving_batch,
    is_out_of_memory,
    isolated,
    scaled_batches,
)


@pytest.mark.parametrize("before", [True, False])
def test_the_gradient_mode_is_restored(before: bool) -> None:
    with torch.set_grad_enabled(before):
        with isolated():
            torch.set_grad_enabled(not before)
        assert torch.is_grad_enabled() is before


def test_the_gradient_mode_is_restored_after_an_exception() -> None:
    def fail() -> None:
        with isolated():
            torch.set_grad_enabled(False)
            raise ZeroDivisionError

    with torch.enable_grad():
        with pytest.raises(ZeroDivisionError):
            fail()
        assert torch.is_grad_enabled()


def test_what_is_printed_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with isolated():
        print("Skipping")  # noqa: T201
    assert capsys.readouterr() == ("", "Skipping\n")


def test_warnings_for_users_are_collected_once_and_not_shown() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with isolated() as collected:
            for _ in range(2):
                warnings.warn("some data will be discarded", stacklevel=1)
            warnings.warn("old", DeprecationWarning, stacklevel=1)
            warnings.warn("Dataset is not tokenized. Pre-tokenizing will ...", stacklevel=1)
    assert collected == ["some data will be discarded"]


def test_half_the_batch_is_tried_until_it_fits() -> None:
    tried: list[int] = []

    def run(batch_size: int) -> str:
        tried.append(batch_size)
        if batch_size > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1000 MiB.\nmore")
        return "done"

    done = halving_batch(run, 16)
    assert tried == [16, 8, 4, 2]
    assert done.result == "done"
    assert done.halvings[-1] == {
        "batch_size": 4,
        "next_batch_size": 2,
        "error": "OutOfMemoryError: CUDA out of memory. Tried to allocate 1000 MiB.",
    }


def test_a_batch_that_fits_is_not_halved() -> None:
    assert halving_batch(lambda batch_size: batch_size, 16) == Halved(16, [])


def test_out_of_memory_with_a_batch_of_one_is_an_error_that_says_so() -> None:
    def run(batch_size: int) -> None:
        raise MemoryError

    with pytest.raises(EvalError, match=r"even at batch_size_prompts=1 \(MemoryError"):
        halving_batch(run, 4)


def test_other_errors_pass_through() -> None:
    def run(batch_size: int) -> None:
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        halving_batch(run, 4)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"),
    ],
)
def test_running_out_of_memory_is_known_on_every_device(error: BaseException) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(("n_batches", "actual", "scaled"), [(20, 8, 40), (20, 16, 20), (3, 2, 24)])
def test_smaller_batches_are_as_many_as_hold_the_same_sequences(
    n_batches: int, actual: int, scaled: int
) -> None:
    assert scaled_batches(n_batches, planned=16, actual=actual) == scaled


def test_batches_that_do_not_divide_are_rounded_up() -> None:
    assert scaled_batches(3, planned=5, actual=2) == 8
