"""Products of half precision on a CPU that has no instructions for them, computed in float32.

Without AVX-512 torch multiplies bfloat16 and float16 matrices element by element: a pass of
Gemma-2-2B takes seconds a token. Here the factors are converted to float32, a part at a time, and
the product is rounded once, as a GPU does. Sums are then in another order than torch's own: values
differ in the last bit of the half-precision result.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

T = TypeVar("T")

MIN_ELEMENTS = 2**21
"""Elements of the largest of factors and product from which a product is computed so: small ones,
such as most of the bundled model's, are torch's own."""
CHUNK_ELEMENTS = 2**25
"""Elements of a factor that are held in float32 at a time: 128 MiB."""

_HALF = (torch.bfloat16, torch.float16)
_is_on = ContextVar("products of half precision are computed in float32", default=False)


@contextlib.contextmanager
def float32_products(device: str, *dtypes: str) -> Generator[None]:
    """Compute products of half precision in float32 within, where the CPU has no others.

    Args:
        dtypes: types that are computed in; without one of half precision nothing is done.
    """
    wanted = device == "cpu" and any(is_slow(getattr(torch, name)) for name in dtypes)
    if not wanted or _is_on.get():
        yield
        return
    token = _is_on.set(True)
    try:
        with _Float32Products():
            yield
    finally:
        _is_on.reset(token)


def carried_over(work: Callable[[], T]) -> Callable[[], T]:
    """Return `work` for another thread, in which products are computed as in this one."""
    if not _is_on.get():
        return work

    def within() -> T:
        with _Float32Products():
            return work()

    return within


def is_slow(dtype: torch.dtype) -> bool:
    """Return whether torch has no fast products of this type on this CPU."""
    supported: Any = torch.ops.mkldnn
    if dtype == torch.bfloat16:
        return not supported._is_mkldnn_bf16_supported()
    return dtype == torch.float16 and not supported._is_mkldnn_fp16_supported()


class _Float32Products(TorchDispatchMode):
    """Replaces `mm` and `addmm`, which every product with a matrix of weights ends in."""

    @override
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        aten = torch.ops.aten
        if func is aten.mm.default and _is_replaced(*args):
            return _product(*args)
        if func is aten.addmm.default and not kwargs and _is_replaced(*args[1:]):
            return _product(*args[1:], added=args[0])
        return func(*args, **(kwargs or {}))


def _is_replaced(left: Tensor, right: Tensor) -> bool:
    n_largest = max(left.numel(), right.numel(), left.shape[0] * right.shape[1])
    return (
        n_largest >= MIN_ELEMENTS
        and left.dtype in _HALF
        and all(
            factor.device.type == "cpu" and factor.layout == torch.strided
            for factor in (left, right)
        )
        and is_slow(left.dtype)
    )


def _product(left: Tensor, right: Tensor, added: Tensor | None = None) -> Tensor:
    """Return `left @ right + added`, rounded once."""
    wide, out = left.float(), left.new_empty(left.shape[0], right.shape[1])
    n_columns = max(1, CHUNK_ELEMENTS // max(1, right.shape[0]))
    for start in range(0, right.shape[1], n_columns):
        columns = slice(start, start + n_columns)
        part = wide @ _widened(right[:, columns])
        if added is not None:
            part += added.expand(out.shape)[:, columns]
        out[:, columns] = part
    return out


class _Scratch(threading.local):
    """Memory that is used again: fresh pages cost more than the conversion."""

    values = torch.empty(0)


_scratch = _Scratch()


def _widened(matrix: Tensor) -> Tensor:
    """Return the matrix in float32, in its own order in memory; valid until the next call."""
    if _scratch.values.numel() < matrix.numel():
        _scratch.values = torch.empty(max(matrix.numel(), CHUNK_ELEMENTS))
    values = _scratch.values[: matrix.numel()]
    if matrix.stride(0) == 1:
        return values.view(matrix.shape[1], matrix.shape[0]).copy_(matrix.T).T
    return values.view(matrix.shape).copy_(matrix)
