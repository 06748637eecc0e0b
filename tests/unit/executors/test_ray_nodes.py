"""Which jobs fit which nodes of a Ray cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from csae_bench.errors import UsageError
from csae_bench.executors.ray_nodes import (
    DEFAULT_THREADS,
    JobNeeds,
    RayNode,
    n_fitting,
    needs_of,
    needs_of_worker,
    nodes_of,
    why_no_node,
)
from csae_bench.executors.ray_settings import RaySettings
from csae_bench.runs.plan import Plan, plan
from csae_bench.runs.request import RunRequest
from csae_bench.support.sizes import GIB

SMALL = RayNode(name="a/1", cpus=4, gpus=0, memory=8 * GIB)
LARGE = RayNode(name="b/2", cpus=32, gpus=8, memory=256 * GIB, gpu_type="H100")


def _needs(cpus: int, gpus: int = 0, memory_gib: float | None = None) -> JobNeeds:
    memory = None if memory_gib is None else memory_gib * GIB
    return JobNeeds(cpus=cpus, gpus=gpus, memory=memory)


def _planned(results: Path, *sets: str, source: str = "custom_sae_small") -> Plan:
    settings = RaySettings()
    request = RunRequest(source=source, results=results, sets=sets, evals=("mig",))
    return settings.adjusted(plan(settings.prepared([request])))


def test_nodes_are_the_live_ones_with_what_ray_says_of_them() -> None:
    def entry(name: str, alive: bool, **resources: float) -> dict[str, Any]:
        return {"NodeManagerAddress": name, "NodeID": "0123456789ab", "Alive": alive,
                "Resources": {"node:x": 1.0, "object_store_memory": 9.0, **resources}}  # fmt: skip

    gpu = entry("10.0.0.2", True, CPU=32.0, GPU=8.0, memory=4.0, **{"accelerator_type:H100": 1.0})
    head = entry("10.0.0.1", True, memory=5.0)
    assert nodes_of([gpu, entry("10.0.0.3", False, CPU=8.0), head]) == [
        RayNode(name="10.0.0.1/01234567", cpus=0, gpus=0, memory=5.0),
        RayNode(name="10.0.0.2/01234567", cpus=32, gpus=8, memory=4.0, gpu_type="H100"),
    ]


@pytest.mark.parametrize(
    ("needs", "on_small", "on_large"),
    [
        (_needs(1), 4, 32),
        (_needs(3), 1, 10),
        (_needs(5), 0, 6),
        (_needs(1, memory_gib=3), 2, 32),
        (_needs(1, memory_gib=9), 0, 28),
        (_needs(2, gpus=1), 0, 8),
        (_needs(8, gpus=1), 0, 4),
    ],
)
def test_as_many_workers_fit_as_the_scarcest_resource_allows(
    needs: JobNeeds, on_small: int, on_large: int
) -> None:
    assert (needs.n_fitting(SMALL), needs.n_fitting(LARGE)) == (on_small, on_large)
    assert n_fitting(needs, [SMALL, LARGE, SMALL]) == 2 * on_small + on_large


@pytest.mark.parametrize(
    ("needs", "says"),
    [
        (_needs(5), ("needs 5 CPU, which no node", "Use --set threads=4.", "a/1: 4 CPU, 8.0 GiB")),
        (_needs(1, gpus=1), ("needs 1 CPU, 1 GPU", "No node has a GPU", "--device cpu")),
        (_needs(1, memory_gib=9), ("9.0 GiB of memory", "Use a node with more memory")),
    ],
)
def test_what_fits_no_node_is_said_with_what_to_do(needs: JobNeeds, says: tuple[str, ...]) -> None:
    problem = why_no_node(needs, [SMALL])
    assert problem is not None
    assert all(text in problem for text in says), problem


def test_what_fits_a_node_is_no_problem() -> None:
    assert why_no_node(_needs(5, gpus=1), [SMALL, LARGE]) is None


def test_an_sae_needs_its_threads_and_its_memory(tmp_path: Path) -> None:
    (asked,) = _planned(tmp_path, "threads=3", "device=cpu").saes
    (default,) = _planned(tmp_path, "device=cpu").saes
    assert needs_of(asked, has_gpus=True).cpus == 3
    assert needs_of(default, has_gpus=True).cpus == DEFAULT_THREADS
    needs = needs_of(asked, has_gpus=True)
    assert (needs.gpus, needs.gpu_memory) == (0, None)
    assert needs.memory is not None
    assert needs.memory > GIB


def test_an_sae_takes_a_gpu_where_it_asks_for_one_or_the_cluster_has_one(tmp_path: Path) -> None:
    (auto,) = _planned(tmp_path).saes
    assert needs_of(auto, has_gpus=False).gpus == 0
    needs = needs_of(auto, has_gpus=True)
    assert (needs.gpus, needs.memory) == (1, None)
    assert needs.gpu_memory is not None
    (cuda,) = _planned(tmp_path, "device=cuda").saes
    assert needs_of(cuda, has_gpus=False).gpus == 1


def test_a_worker_needs_what_the_most_demanding_sae_does(tmp_path: Path) -> None:
    few, many = (_planned(tmp_path, f"threads={n}", "device=cpu").saes[0] for n in (1, 6))
    needs = needs_of_worker(Plan((few, many)), has_gpus=False)
    assert (needs.cpus, needs.gpus) == (6, 0)
    each = [needs_of(sae, has_gpus=False).memory or 0 for sae in (few, many)]
    assert needs.memory == max(each)


def test_a_gpu_that_this_machine_lacks_is_no_problem_for_ray(tmp_path: Path) -> None:
    settings = RaySettings()
    request = RunRequest(source="custom_sae_small", results=tmp_path, device="cuda")
    (prepared,) = settings.prepared([request])
    assert (prepared.device, prepared.sets) == (None, ("threads=2", "device=cuda"))
    assert settings.adjusted(plan([prepared])).problems == []


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_a_device_that_no_worker_has_is_a_mistake(tmp_path: Path, device: str) -> None:
    settings = RaySettings()
    request = RunRequest(source="custom_sae_small", results=tmp_path, device=device)
    with pytest.raises(UsageError, match=f"device is '{device}'; with --executor ray it must be"):
        settings.prepared([request])
    with pytest.raises(UsageError, match="custom_sae_small: device is"):
        _planned(tmp_path, f"device={device}")
