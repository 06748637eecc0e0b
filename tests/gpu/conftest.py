"""Tests that compare a GPU with the CPU; they skip where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/gpu/" in item.path.as_posix():
            item.add_marker(pytest.mark.cuda)


@pytest.fixture(autouse=True)
def _full_precision() -> Iterator[None]:
    """Skip without a GPU; compute float32 products in float32, as torch does unless told else."""
    if not torch.cuda.is_available():
        pytest.skip("no GPU: torch finds no CUDA device")
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)
