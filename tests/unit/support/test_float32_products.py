"""csae_bench/support/float32_products.py."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from csae_bench.support import float32_products as products
from csae_bench.support.float32_products import carried_over, float32_products


@pytest.fixture(autouse=True)
def _slow_and_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU without instructions for half precision, and matrices that take no time."""
    monkeypatch.setattr(products, "is_slow", lambda dtype: dtype in (torch.bfloat16, torch.float16))
    monkeypatch.setattr(products, "MIN_ELEMENTS", 1000)
    monkeypatch.setattr(products, "CHUNK_ELEMENTS", 256)


def drawn(*shape: int, dtype: torch.dtype = torch.bfloat16, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


PRODUCTS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "matmul": lambda x, w, b: x @ w,
    "linear": lambda x, w, b: torch.nn.functional.linear(x, w.T.contiguous(), b),
    "addmm": lambda x, w, b: torch.addmm(b, x, w),
    "batched": lambda x, w, b: x.view(2, 3, -1) @ w + b,
}


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_product_is_that_of_float32_rounded_once(name: str, dtype: torch.dtype) -> None:
    x, w, b = drawn(6, 40, dtype=dtype), drawn(40, 50, dtype=dtype, seed=1), drawn(50, dtype=dtype)
    with float32_products("cpu", str(dtype).removeprefix("torch.")):
        ours = PRODUCTS[name](x, w, b)
    if name == "batched":  # rounded before b is added, as written
        expected = (x.float() @ w.float()).to(dtype).view(2, 3, -1) + b
    else:
        expected = (x.float() @ w.float() + (0 if name == "matmul" else b.float())).to(dtype)
    assert ours.dtype == dtype
    # float32 sums in another order may round to the neighbour: bfloat16 has steps of 2**-8
    torch.testing.assert_close(ours.flatten(), expected.flatten(), rtol=8e-3, atol=0)
    assert (ours.flatten() == expected.flatten()).float().mean() > 0.99


def test_gradients_are_those_of_float32() -> None:
    x, w = drawn(6, 40).requires_grad_(), drawn(40, 50, seed=1).requires_grad_()
    with float32_products("cpu", "bfloat16"):
        (x @ w).sum().backward()
    ones = torch.ones(6, 50)
    assert x.grad is not None
    assert w.grad is not None
    torch.testing.assert_close(x.grad.float(), ones @ w.detach().float().T, rtol=8e-3, atol=1e-3)
    torch.testing.assert_close(w.grad.float(), x.detach().float().T @ ones, rtol=8e-3, atol=1e-3)


def replaced(work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> int:
    """How often a product was computed in float32."""
    n = 0
    product = products._product

    def counted(*args: Tensor, **options: Tensor) -> Tensor:
        nonlocal n
        n += 1
        return product(*args, **options)

    monkeypatch.setattr(products, "_product", counted)
    work()
    return n


@pytest.mark.parametrize(
    ("device", "dtypes", "n_expected"),
    [
        ("cpu", ("bfloat16",), 1),
        ("cpu", ("float32", "float16"), 1),
        ("cpu", ("float32",), 0),
        ("cuda", ("bfloat16",), 0),
    ],
)
def test_only_half_precision_on_the_cpu_is_changed(
    device: str, dtypes: tuple[str, ...], n_expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> None:
        with float32_products(device, *dtypes):
            drawn(6, 40) @ drawn(40, 50)
            drawn(6, 40).float() @ drawn(40, 50).float()
            drawn(6, 4) @ drawn(4, 5)  # small
        drawn(6, 40) @ drawn(40, 50)  # left

    assert replaced(work, monkeypatch) == n_expected


def test_a_cpu_with_the_instructions_computes_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "is_slow", lambda dtype: False)

    def work() -> None:
        with float32_products("cpu", "bfloat16"):
            drawn(6, 40) @ drawn(40, 50)

    assert replaced(work, monkeypatch) == 0


def test_it_holds_in_another_thread_only_where_it_is_carried_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def multiply() -> Tensor:
        return drawn(6, 40) @ drawn(40, 50)

    def work() -> None:
        with ThreadPoolExecutor(max_workers=1) as thread, float32_products("cpu", "bfloat16"):
            thread.submit(multiply).result()
            thread.submit(carried_over(multiply)).result()
        with ThreadPoolExecutor(max_workers=1) as thread:
            thread.submit(carried_over(multiply)).result()

    assert replaced(work, monkeypatch) == 1
