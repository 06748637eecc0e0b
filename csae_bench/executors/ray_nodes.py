"""Nodes of a Ray cluster, and which jobs fit them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from csae_bench.preflight.machine import needed_bytes
from csae_bench.runs.plan import Plan, SaePlan
from csae_bench.support.sizes import shown_bytes

DEFAULT_THREADS = 2
"""Threads of an SAE's jobs where its configuration says nothing. It does not follow the cluster:
the last bits of a sum can depend on it."""


@dataclass(frozen=True, kw_only=True)
class RayNode:
    """Resources of a node."""

    name: str
    """Address, and the beginning of its id: several nodes may be one machine."""
    cpus: int
    gpus: int
    memory: float
    """Bytes that Ray gives to jobs."""
    gpu_type: str | None = None
    """Ray's name of its GPUs, such as H100."""

    def __str__(self) -> str:
        of_type = f" ({self.gpu_type})" if self.gpu_type else ""
        gpus = f", {self.gpus} GPU{of_type}" if self.gpus else ""
        return f"{self.name}: {self.cpus} CPU{gpus}, {shown_bytes(self.memory)} of memory"


@dataclass(frozen=True, kw_only=True)
class JobNeeds:
    """Resources that Ray holds for a worker with these jobs."""

    cpus: int
    """Threads."""
    gpus: int
    memory: float | None
    """Bytes of the largest job, on a CPU; None on a GPU, where they are the GPU's."""
    gpu_memory: float | None = None
    """Bytes of the largest job, on a GPU."""

    def n_fitting(self, node: RayNode) -> int:
        """Return how many workers fit a node."""
        n = node.cpus // self.cpus
        if self.gpus:
            n = min(n, node.gpus // self.gpus)
        if self.memory:
            n = min(n, int(node.memory // self.memory))
        return n

    def __str__(self) -> str:
        gpus = f", {self.gpus} GPU" if self.gpus else ""
        memory = f", {shown_bytes(self.memory)} of memory" if self.memory else ""
        return f"{self.cpus} CPU{gpus}{memory}"


def nodes_of(listed: Iterable[Mapping[str, Any]]) -> list[RayNode]:
    """Return the live nodes of what `ray.nodes()` lists, by name."""
    nodes = [_node(entry) for entry in listed if entry["Alive"]]
    return sorted(nodes, key=lambda node: node.name)


def needs_of(sae: SaePlan, *, has_gpus: bool) -> JobNeeds:
    """Return what the jobs of one SAE need.

    Args:
        has_gpus: whether the cluster has a GPU, which the device `auto` then means.
    """
    resolved_sae = sae.resolved_sae
    threads = None if resolved_sae is None else resolved_sae.config.threads
    is_on_gpu = sae.device.startswith("cuda") or (sae.device == "auto" and has_gpus)
    # of an SAE of the hub the size is not known before a worker has fetched it
    needed = None
    if resolved_sae is not None:
        needed = needed_bytes(resolved_sae, "cuda" if is_on_gpu else "cpu")
    return JobNeeds(
        cpus=threads or DEFAULT_THREADS,
        gpus=int(is_on_gpu),
        memory=None if is_on_gpu else needed,
        gpu_memory=needed if is_on_gpu else None,
    )


def needs_of_worker(plan: Plan, *, has_gpus: bool) -> JobNeeds:
    """Return what a worker needs that may get any SAE of a plan."""
    each = [needs_of(sae, has_gpus=has_gpus) for sae in plan.saes]
    return JobNeeds(
        cpus=max(needs.cpus for needs in each),
        gpus=max(needs.gpus for needs in each),
        memory=max((needs.memory or 0.0 for needs in each), default=0.0) or None,
        gpu_memory=max((needs.gpu_memory or 0.0 for needs in each), default=0.0) or None,
    )


def n_fitting(needs: JobNeeds, nodes: Sequence[RayNode]) -> int:
    """Return how many workers fit the nodes at the same time."""
    return sum(needs.n_fitting(node) for node in nodes)


def why_no_node(needs: JobNeeds, nodes: Sequence[RayNode]) -> str | None:
    """Say why a worker fits no node, and what to do; None where one has room for it."""
    if n_fitting(needs, nodes):
        return None
    most_cpus = max((node.cpus for node in nodes), default=0)
    if needs.gpus and not any(node.gpus for node in nodes):
        advice = "No node has a GPU: start one with `ray start --num-gpus`, or use --device cpu."
    elif needs.cpus > most_cpus > 0:
        advice = f"Use --set threads={most_cpus}."
    elif needs.memory and all(node.memory < needs.memory for node in nodes):
        advice = "Use a node with more memory, or see the line `memory` of csae-bench doctor."
    else:
        advice = "Use a node that has all of it."
    has = "; ".join(map(str, nodes)) or "none"
    return f"needs {needs}, which no node of the Ray cluster has. {advice} Nodes: {has}."


def _node(entry: Mapping[str, Any]) -> RayNode:
    resources = entry["Resources"]
    types = [name.partition(":")[2] for name in resources if name.startswith("accelerator_type:")]
    return RayNode(
        name=f"{entry['NodeManagerAddress']}/{entry['NodeID'][:8]}",
        cpus=int(resources.get("CPU", 0)),
        gpus=int(resources.get("GPU", 0)),
        memory=float(resources.get("memory", 0.0)),
        gpu_type=types[0] if types else None,
    )
