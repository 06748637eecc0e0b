"""The executor of a Ray cluster: a pool whose workers are actors, placed by Ray on its nodes."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from csae_bench import __version__
from csae_bench.errors import PreflightError
from csae_bench.executors import Done
from csae_bench.executors.pool import Pool
from csae_bench.executors.pool_worker import Inbox
from csae_bench.executors.ray_actor import ActorStart, WorkerActor
from csae_bench.executors.ray_cluster import RayCluster, connected
from csae_bench.executors.ray_env import passed_on
from csae_bench.executors.ray_files import RESULTS, ActorFiles, Courier
from csae_bench.executors.ray_nodes import JobNeeds, n_fitting, needs_of_worker, why_no_node
from csae_bench.executors.ray_worker import RayWorker
from csae_bench.executors.sharding import shards
from csae_bench.results.store import write_text
from csae_bench.runs.plan import Plan, SaePlan
from csae_bench.runs.request import RunRequest
from csae_bench.support import progress

_N_CALLS_AGAIN = 2
"""Times that Ray repeats a call of an actor that did not get through, though the actor lives."""


@dataclass(frozen=True, kw_only=True)
class RayExecutor:
    """Runs shards of the plan in actors of a Ray cluster.

    Args:
        address: of the cluster; None: RAY_ADDRESS, or one of this machine.
        n_workers: actors at the same time; None: as many as fit the nodes.
        collect: files go to the nodes and back through this process.
        train_only: make the SAEs and evaluate none.
    """

    address: str | None = None
    n_workers: int | None = None
    collect: bool = False
    train_only: bool = False

    def run(self, plan: Plan) -> Iterator[Done]:
        """Yield each step as it ends; an error ends the jobs of its SAE and of no other.

        Raises:
            UsageError: the cluster cannot be reached.
            PreflightError: the jobs fit none of its nodes.
        """
        with connected(self.address) as cluster, self._marked(plan) as marker:
            needs, n_workers = self._sized(plan, cluster)
            start = ActorStart(
                version=__version__,
                env=passed_on(os.environ, is_shared=not self.collect),
                n_threads=needs.cpus,
                gpu_bytes=needs.gpu_memory,
                folder=None if self.collect else os.getcwd(),
                marker=None if marker is None else str(marker),
            )
            plans = {sae.request: sae for sae in plan.saes} if self.collect else None
            source = _Actors(n_workers, needs, start, plans)
            yield from Pool(plan, source, train_only=self.train_only).run()

    def _sized(self, plan: Plan, cluster: RayCluster) -> tuple[JobNeeds, int]:
        """Return what a worker needs, and how many there are."""
        nodes = cluster.nodes()
        needs = needs_of_worker(plan, has_gpus=any(node.gpus for node in nodes))
        if (problem := why_no_node(needs, nodes)) is not None:
            raise PreflightError([f"A worker {problem}"])
        n_places = n_fitting(needs, nodes)
        wanted = self.n_workers or n_places
        if wanted > n_places:  # a cluster that grows makes room for the others
            progress.say(f"{n_places} of {wanted} workers fit the nodes; the others wait for room")
        return needs, min(wanted, len(plan.saes), len(shards(plan.saes, wanted)))

    @contextlib.contextmanager
    def _marked(self, plan: Plan) -> Generator[Path | None]:
        """Give the path of a file in the results folder, by which nodes see that it is shared."""
        if self.collect:
            yield None
            return
        folder = plan.saes[0].request.store.cache("ray").resolve()
        marker = folder / f"shared-{uuid.uuid4().hex}"
        write_text(marker, "A run with --executor ray looks whether its nodes see this file.\n")
        try:
            yield marker
        finally:
            with contextlib.suppress(OSError):  # the folder may have another run's
                marker.unlink()
                folder.rmdir()


@dataclass
class _Actors:
    """Makes actors."""

    n_workers: int
    needs: JobNeeds
    start_argument: ActorStart
    plans: dict[RunRequest, SaePlan] | None
    """Plans of which files go to the nodes and back; None: folders are shared."""
    description: str = "Ray actors"

    def start(self, number: int, inbox: Inbox) -> RayWorker:
        import ray

        options: dict[str, Any] = {
            "num_cpus": self.needs.cpus,
            "num_gpus": self.needs.gpus,
            "max_concurrency": 1,  # more leak a GPU's memory
            # The pool begins lost work again: it knows which SAEs of a shard are done. An actor
            # that Ray restarted would have neither its process nor its shard.
            "max_restarts": 0,
            "max_task_retries": _N_CALLS_AGAIN,
        }
        if self.needs.memory is not None:
            options["memory"] = int(self.needs.memory)
        actor = ray.remote(WorkerActor).options(**options).remote(self.start_argument.to_bytes())
        courier = None
        if self.plans is not None:
            files = ActorFiles(actor)
            courier = Courier(files, replace(files, base=RESULTS), self.plans)
        return RayWorker(f"worker {number + 1}", actor, inbox, courier)
