"""Products of a sparse and a dense matrix, by several threads where that pays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from csae_bench.support.threads import n_threads, pool

_MIN_TERMS = 2**19
"""Terms of a product that is divided: about half a millisecond of work."""


def product(left: Any, right: NDArray[Any]) -> NDArray[Any]:
    """Return left @ right. scipy uses one thread, and lets others work meanwhile.

    Each row is summed by one thread in scipy's order, so that the result is the same to the bit
    however many there are.

    Args:
        left: scipy csr_array [n_rows, n].
        right: [n, n_columns].
    """
    n_parts = min(n_threads(), left.shape[0])
    if n_parts < 2 or left.nnz * right.shape[1] < _MIN_TERMS:
        return left @ right
    right = np.ascontiguousarray(right)
    out = np.empty((left.shape[0], right.shape[1]), np.result_type(left.dtype, right.dtype))
    places = np.searchsorted(left.indptr, np.linspace(0, left.nnz, n_parts + 1)[1:-1])
    bounds = [0, *places.tolist(), left.shape[0]]

    def fill(part: int) -> None:
        first, last = bounds[part : part + 2]
        out[first:last] = _rows(left, first, last) @ right

    list(pool(n_parts).map(fill, range(n_parts)))
    return out


def _rows(matrix: Any, first: int, last: int) -> Any:
    """Return some rows as a view."""
    start, end = matrix.indptr[first], matrix.indptr[last]
    entries = matrix.data[start:end], matrix.indices[start:end]
    indptr = matrix.indptr[first : last + 1] - start
    return sparse.csr_array((*entries, indptr), shape=(last - first, matrix.shape[1]))
