"""The environment of a worker on a node: what the driver has, and what Ray would set wrongly."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from csae_bench.executors.ray_env import passed_on, worker_env

DRIVER = {
    "HF_HUB_OFFLINE": "1",
    "HF_TOKEN": "secret",
    "HF_HOME": "/home/me/hf",
    "CSAE_BENCH_CACHE": "/scratch/cache",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "PATH": "/bin",
    "CUDA_VISIBLE_DEVICES": "3",
    "OMP_NUM_THREADS": "64",
    "RAY_ADDRESS": "10.0.0.1:6379",
}


def test_settings_of_the_hub_are_passed_on_and_nothing_of_the_machine() -> None:
    passed = passed_on(DRIVER, is_shared=True)
    kept = ("HF_HUB_OFFLINE", "HF_TOKEN", "HF_HOME", "CSAE_BENCH_CACHE", "CUBLAS_WORKSPACE_CONFIG")
    assert passed == {name: DRIVER[name] for name in kept}


def test_folders_are_passed_on_only_where_they_are_shared() -> None:
    passed = passed_on(DRIVER, is_shared=False)
    assert set(passed) == {"HF_HUB_OFFLINE", "HF_TOKEN", "CUBLAS_WORKSPACE_CONFIG"}


@pytest.mark.parametrize(("gpu_ids", "visible"), [((), ""), (("2",), "2"), (("2", "5"), "2,5")])
def test_threads_and_gpus_are_those_that_ray_holds(gpu_ids: tuple[str, ...], visible: str) -> None:
    env = worker_env({"HF_HUB_OFFLINE": "1"}, n_threads=4, gpu_ids=gpu_ids)
    assert env == {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "4",
        "OMP_WAIT_POLICY": "PASSIVE",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": visible,
    }


def test_torch_starts_with_the_threads_of_the_environment() -> None:
    env = {**os.environ, "OMP_NUM_THREADS": "2", **worker_env({}, n_threads=1, gpu_ids=())}
    code = "import torch; print(torch.get_num_threads(), torch.cuda.is_available())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "False"]


def test_the_actor_imports_no_torch() -> None:
    code = "import sys, csae_bench.executors.ray_actor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
