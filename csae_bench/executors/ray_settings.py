"""Settings of the executor `ray`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from csae_bench.errors import UsageError
from csae_bench.executors.ray_cluster import connected
from csae_bench.executors.ray_executor import RayExecutor
from csae_bench.executors.ray_nodes import (
    DEFAULT_THREADS,
    RayNode,
    n_fitting,
    needs_of,
    why_no_node,
)
from csae_bench.executors.table import ExecutorOptions
from csae_bench.executors.workers import with_threads
from csae_bench.preflight.check import Check
from csae_bench.runs.plan import Plan, SaePlan
from csae_bench.runs.request import RunRequest

_OF_THIS_MACHINE = ("device", "memory")
"""Checks whose outcome here says nothing about the nodes."""


@dataclass(frozen=True, kw_only=True)
class RaySettings:
    """Settings of the executor `ray`."""

    address: str | None = None
    """`host:port` or `auto`; None: RAY_ADDRESS, or a cluster that is started on this machine."""
    n_workers: int | None = None
    """Actors at the same time; None: as many as fit the nodes."""
    collect: bool = False
    """Whether files go to the nodes and back through this process; False: they are shared."""

    def prepared(self, requests: Sequence[RunRequest]) -> list[RunRequest]:
        """Return the requests with threads, where none are set, and without this machine's device.

        Raises:
            UsageError: a device is asked for that no worker has.
        """
        return [_for_nodes(with_threads(request, DEFAULT_THREADS)) for request in requests]

    def adjusted(self, plan: Plan) -> Plan:
        """Return the plan without problems of this machine's device and memory.

        Raises:
            UsageError: a configuration names a device that no worker has.
        """
        for sae in plan.saes:
            _check_device(sae.device, sae.request.source)
        return Plan(tuple(_adjusted(sae) for sae in plan.saes))

    def examined(self, plan: Plan) -> Plan:
        """Return the plan with a check of each SAE: what its jobs need, and how many nodes fit.

        Raises:
            UsageError: the cluster cannot be reached.
        """
        with connected(self.address) as cluster:
            nodes = cluster.nodes()
        return Plan(tuple(_with_fit(sae, nodes) for sae in plan.saes))

    def build(self, plan: Plan, *, train_only: bool) -> RayExecutor:
        """Return the executor of a plan."""
        return RayExecutor(
            address=self.address,
            n_workers=self.n_workers,
            collect=self.collect,
            train_only=train_only,
        )


def ray_settings(options: ExecutorOptions) -> RaySettings:
    """Return the settings that the options make."""
    return RaySettings(
        address=options.ray_address, n_workers=options.workers, collect=options.collect
    )


def _for_nodes(request: RunRequest) -> RunRequest:
    """Return a request whose --device is not looked for on this machine."""
    if request.device is None:
        return request
    _check_device(request.device, "--device")
    return replace(request, device=None, sets=(*request.sets, f"device={request.device}"))


def _check_device(device: str, where: str) -> None:
    if device not in ("auto", "cpu", "cuda", "cuda:0"):
        raise UsageError(
            f"{where}: device is '{device}'; with --executor ray it must be auto, cpu or cuda: a "
            "worker sees the one GPU that Ray gives it."
        )


def _with_fit(sae: SaePlan, nodes: Sequence[RayNode]) -> SaePlan:
    needs = needs_of(sae, has_gpus=any(node.gpus for node in nodes))
    problem = why_no_node(needs, nodes)
    if problem is not None:
        check = Check("ray", "problem", f"ray: a worker {problem}")
    else:
        n, has = n_fitting(needs, nodes), "; ".join(map(str, nodes))
        check = Check("ray", "ok", f"a worker needs {needs}; {n} fit at a time. Nodes: {has}")
    return replace(sae, checks=(*sae.checks, check))


def _adjusted(sae: SaePlan) -> SaePlan:
    checks = tuple(
        Check(check.name, "unknown", f"{check.message} (on this machine; nodes may differ)")
        if check.name in _OF_THIS_MACHINE and check.outcome == "problem"
        else check
        for check in sae.checks
    )
    return replace(sae, checks=checks)
