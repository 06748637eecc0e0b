"""csae_bench/hardware/devices.py."""

from __future__ import annotations

import pytest

from csae_bench.errors import UsageError
from csae_bench.hardware.devices import pick_device


@pytest.mark.parametrize(("n_gpus", "device"), [(2, "cuda"), (0, "cpu")])
def test_auto_is_a_gpu_where_there_is_one(
    n_gpus: int, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("csae_bench.hardware.devices._count_gpus", lambda: n_gpus)
    assert pick_device("auto") == device


def test_cpu_is_always_there() -> None:
    assert pick_device("cpu") == "cpu"


@pytest.mark.parametrize("wanted", ["gpu", "cuda:x", "", "CPU"])
def test_what_is_no_devices_name_is_an_error(wanted: str) -> None:
    with pytest.raises(UsageError, match="must be auto, cpu, cuda"):
        pick_device(wanted)


def test_a_gpu_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UsageError, match="Use cpu or auto"):
        pick_device("cuda:99")
