"""Copies to a device."""

from __future__ import annotations

import pytest
import torch

from csae_bench.support import transfers
from csae_bench.support.transfers import is_gpu, pinned, to_device


def test_tensor_on_its_device_is_not_copied() -> None:
    rows = torch.rand(3, 2)
    assert to_device(rows, "cpu") is rows
    assert pinned(rows).data_ptr() == rows.data_ptr() or torch.cuda.is_available()


def test_device_is_told_by_its_kind() -> None:
    assert [is_gpu(device) for device in ("cuda", "cuda:1", torch.device("cuda", 0))] == [True] * 3
    assert [is_gpu(device) for device in ("cpu", "mps", torch.device("meta"))] == [False] * 3


def test_to_another_device_a_tensor_is_moved() -> None:
    assert to_device(torch.rand(3), "meta").device.type == "meta"


def test_to_a_gpu_a_copy_is_pinned_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    class Pinned:
        def to(self, device: str, *, non_blocking: bool) -> str:
            asked.append((device, non_blocking))
            return "moved"

    monkeypatch.setattr(transfers, "pinned", lambda tensor: Pinned())
    moved: object = to_device(torch.rand(3), "cuda:0")
    assert moved == "moved"
    assert asked == [("cuda:0", True)]
