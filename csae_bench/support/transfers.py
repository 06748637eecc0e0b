"""Copies from the host's memory to a GPU that the processor does not wait for."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Return the tensor on a device.

    To a GPU it goes through pinned memory, from which the GPU copies by itself; from other memory
    the processor would wait until all that the GPU was given before is done. torch keeps pinned
    memory until the copy is made, and uses it again.
    """
    if not is_gpu(device) or tensor.device.type != "cpu":
        return tensor.to(device)
    return pinned(tensor).to(device, non_blocking=True)


def is_gpu(device: torch.device | str) -> bool:
    """Return whether copies from the host's memory are better made from pinned memory."""
    return torch.device(device).type == "cuda"


def pinned(tensor: Tensor) -> Tensor:
    """Return the tensor in pinned memory, where there is a GPU that it can be pinned for."""
    if not torch.cuda.is_available() or tensor.is_pinned():
        return tensor
    return tensor.pin_memory()
