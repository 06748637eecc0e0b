"""Where a training step makes the processor wait for the device, observed on either.

On a GPU torch reports each wait itself. On a CPU nothing waits; there the operations are counted
that would, had the tensors lain on a GPU: those whose result decides a shape, or goes to Python.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

import csae_bench

PACKAGE = Path(csae_bench.__file__).parent
OTHERS = ("sae_lens", "torch/optim", "torch/nn/utils")
"""Code of other packages that a step calls; waits there are not ours to mend."""

_aten = torch.ops.aten
WAITING_OPERATIONS = frozenset(
    {
        _aten._local_scalar_dense.default,  # item(), float(x), if x
        _aten.nonzero.default,
        _aten.masked_select.default,
        _aten.unique_dim.default,
        _aten._unique2.default,
        _aten.unique_consecutive.default,
        _aten.bincount.default,
        _aten.equal.default,
        _aten.repeat_interleave.Tensor,
    }
)
INDEXING = frozenset({_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default})
"""These wait where an index is a mask: its True elements are counted first."""


class WaitCounter(TorchDispatchMode):
    """Counts operations that would wait on a GPU, by the function of ours that calls them."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self._methods = _Methods(self.waits)

    @override
    def __enter__(self) -> WaitCounter:
        self._methods.__enter__()
        super().__enter__()
        return self

    @override
    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._methods.__exit__(*error)

    @override
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if _would_wait(func, args, kwargs or {}):
            self.waits[caller()] += 1
        return func(*args, **(kwargs or {}))


class _Methods(TorchFunctionMode):
    """Counts methods that read a tensor's memory where it lies on the CPU, and copy it else."""

    def __init__(self, waits: Counter[str]) -> None:
        super().__init__()
        self._waits = waits

    @override
    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in (torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.cpu):
            self._waits[caller()] += 1
        return func(*args, **(kwargs or {}))


def _would_wait(func: Any, args: tuple[Any, ...], options: dict[str, Any]) -> bool:
    if func in INDEXING:
        return any(index is not None and index.dtype == torch.bool for index in args[1])
    if func is _aten.repeat_interleave.Tensor and options.get("output_size") is not None:
        return False
    return func in WAITING_OPERATIONS


def caller() -> str:
    """Return the innermost function of ours, or of OTHERS, that is running: `file function`."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = function_of(frame.f_code)
        if name is not None:
            return name
        frame = frame.f_back
    return "elsewhere"


def function_of(code: CodeType) -> str | None:
    """Return `file function` of code of ours, `package` of OTHERS, None for all else."""
    path = Path(code.co_filename)
    if path.is_relative_to(PACKAGE):
        # of a lambda or a comprehension, the function that it stands in
        qualified = code.co_qualname.replace(".<locals>", "").split(".<")[0]
        return f"{path.relative_to(PACKAGE).as_posix()} {qualified}"
    return next((name for name in OTHERS if f"/{name}/" in code.co_filename), None)


@contextmanager
def around(
    functions: frozenset[str], enter: Callable[[], None], leave: Callable[[], None]
) -> Generator[None]:
    """Call `enter` when the innermost function of ours, or of OTHERS, is one of these, and `leave`
    when it no longer is.
    """
    running: list[bool] = [False]

    def switch(before: bool) -> None:
        if running[-1] != before:
            (enter if running[-1] else leave)()

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event not in ("call", "return"):
            return
        name = function_of(frame.f_code)
        if name is None:
            return
        before = running[-1]
        if event == "call":
            running.append(name in functions)
        elif len(running) > 1:
            running.pop()
        switch(before)

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)
        if running[-1]:
            leave()
