"""csae_bench/devices.py."""

from __future__ import annotations

import pytest
import torch

from csae_bench.errors import UsageError
from csae_bench.hardware.devices import pick_device


def test_auto_is_a_gpu_where_there_is_one() -> None:
    assert pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


def test_cpu_is_always_there() -> None:
    assert pick_device("cpu") == "cpu"


@pytest.mark.parametrize("wanted", ["gpu", "cuda:x", "", "CPU"])
def test_what_is_no_devices_name_is_an_error(wanted: str) -> None:
    with pytest.raises(UsageError, match="must be auto, cpu, cuda"):
        pick_device(wanted)


def test_a_gpu_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UsageError, match="Use cpu or auto"):
        pick_device("cuda:99")
