"""Undoes SAE-Bench's effects on the process, and retries when memory runs out."""

from __future__ import annotations

import contextlib
import gc
import inspect
import sys
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import ModuleType
from typing import Generic, TypedDict, TypeVar

import torch

from csae_bench.errors import EvalError

T = TypeVar("T")

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
# Said of every SAE here, and no user's to act on: text is tokenized as it is read, and the norms of
# the decoder's rows change no value but l1.
_EXPECTED_WARNINGS = ("Dataset is not tokenized", "Decoder weights are not normalized")

_NO_TYPE_CHECK = "__no_type_check__"  # what typing.no_type_check sets; jaxtyping honours it


class Halving(TypedDict):
    """One time an eval ran out of memory and was started again with half the batch."""

    batch_size: int
    """The batch that did not fit."""
    next_batch_size: int
    error: str


@dataclass(frozen=True)
class Halved(Generic[T]):
    """A result, and what it took to get it."""

    result: T
    halvings: list[Halving]


@contextlib.contextmanager
def isolated() -> Generator[list[str], None, None]:
    """Run upstream code without gradients, and undo its effects on the process.

    On leaving, the gradient mode is what it was: seven of SAE-Bench's evals switch gradients off
    for the whole process. What is printed goes to stderr, since stdout is for results. Warnings
    for users (not deprecations) are not shown but collected, each once, in the list yielded,
    which is filled on leaving.
    """
    collected: list[str] = []
    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stdout(sys.stderr),
        torch.no_grad(),  # restores the mode from before even where it is changed inside
    ):
        warnings.simplefilter("always")
        try:
            yield collected
        finally:
            messages = (str(w.message) for w in caught if _is_for_users(w))
            collected.extend(dict.fromkeys(messages))


@contextlib.contextmanager
def without_shape_checks(*modules: ModuleType) -> Generator[None, None, None]:
    """Switch off, within, the checks of shapes that SAE-Bench puts on functions of these modules.

    Some of its annotations are wrong, so that calls which work raise: those of `probe_training`,
    for one. `jaxtyping.config` is read at each call and is global: it would also switch off the
    checks that our tests put on csae_bench.
    """
    functions = [
        function
        for module in modules
        for function in vars(module).values()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not hasattr(function, _NO_TYPE_CHECK)
    ]
    for function in functions:
        setattr(function, _NO_TYPE_CHECK, True)
    try:
        yield
    finally:
        for function in functions:
            delattr(function, _NO_TYPE_CHECK)


def halving_batch(run: Callable[[int], T], batch_size: int) -> Halved[T]:
    """Call `run(batch_size)`, halving the batch as often as memory runs out.

    `run` starts over each time. Its result should not depend on the batch size; SAE-Bench's
    own mse, explained_variance, explained_variance_legacy and relative_reconstruction_bias do, so
    a result with a halving is not comparable with one without in those.

    Raises:
        EvalError: it does not fit with a batch of 1 either.
    """
    halvings: list[Halving] = []
    while True:
        try:
            return Halved(run(batch_size), halvings)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            message = f"{type(error).__name__}: {error}".splitlines()[0]
        # Only here, outside the handler, are the failed run's frames and their tensors free.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if batch_size <= 1:
            raise EvalError(
                f"Out of memory even at batch_size_prompts=1 ({message}). A shorter context_size, "
                "model_dtype=bfloat16 or another device may help."
            )
        halvings.append(
            Halving(batch_size=batch_size, next_batch_size=batch_size // 2, error=message)
        )
        batch_size //= 2


def scaled_batches(n_batches: int, *, planned: int, actual: int) -> int:
    """Return how many batches of `actual` sequences hold `n_batches` of `planned`, rounded up."""
    return -(-n_batches * planned // actual)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether `error` says that memory ran out, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(part in text for part in _OUT_OF_MEMORY)


def _is_for_users(warning: warnings.WarningMessage) -> bool:
    ignored = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
    text = str(warning.message)
    return not issubclass(warning.category, ignored) and not text.startswith(_EXPECTED_WARNINGS)
