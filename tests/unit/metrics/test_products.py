"""Products by several threads: the same bits as by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from csae_bench.metrics import products
from csae_bench.metrics.products import product
from csae_bench.support import threads
from csae_bench.support.threads import limit_threads


@pytest.fixture(autouse=True)
def _no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_limit", None)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("n_rows", [1, 2, 50])
@pytest.mark.parametrize("dtype", [np.int32, np.float64])
def test_a_divided_product_has_the_bits_of_an_undivided_one(
    n: int, n_rows: int, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "_MIN_TERMS", 0)
    limit_threads(n)
    rng = np.random.default_rng(0)
    left = sparse.random_array((n_rows, 300), density=0.1, format="csr", rng=rng)
    left.data[:] = rng.normal(size=left.nnz) * 100
    left = left.astype(dtype)
    right = (rng.normal(size=(300, 5)) * 100).astype(dtype)
    result = product(left, right)
    assert result.dtype == (left @ right).dtype
    assert (result == left @ right).all()


def test_rows_without_entries_are_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_MIN_TERMS", 0)
    limit_threads(4)
    assert not product(sparse.csr_array((6, 3)), np.ones((3, 2))).any()


def test_rows_of_another_order_in_memory_are_read_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_MIN_TERMS", 0)
    limit_threads(2)
    left = sparse.csr_array(np.arange(12.0).reshape(4, 3))
    right = np.asfortranarray(np.arange(6.0).reshape(3, 2))
    assert (product(left, right) == left.toarray() @ right).all()
