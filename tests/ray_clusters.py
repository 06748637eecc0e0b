"""Ray clusters of several nodes on this machine, for tests: each node is a set of processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 900
"""Longest wait on a busy machine."""

STORE_BYTES = 100 * 2**20


def ray_env(**more: str) -> dict[str, str]:
    """Return an environment in which no cluster but the test's own is known."""
    env = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return {**env, "RAY_USAGE_STATS_ENABLED": "0", **more}


@dataclass
class Nodes:
    """A cluster: a head without CPUs, on which the driver runs, and nodes of one CPU each."""

    address: str
    workers: list[Any] = field(default_factory=list[Any])
    homes: list[Path] = field(default_factory=list[Path])
    """Home and temporary folder of each of these nodes."""

    def command(self, *arguments: str | Path) -> list[str]:
        """Return a command of csae-bench that runs on the cluster."""
        given = [str(argument) for argument in arguments]
        ray = ["--executor", "ray", "--ray-address", self.address]
        return [sys.executable, "-m", "csae_bench.cli", *given, *ray]


@contextmanager
def cluster(n_nodes: int, place: Path) -> Generator[Nodes]:
    """Start a cluster; end its processes on leaving.

    Args:
        place: a folder in which each node has a home and a temporary folder of its own.
    """
    from ray.cluster_utils import Cluster

    # paths of sockets have at most 107 bytes
    short = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    with _environment(RAY_USAGE_STATS_ENABLED="0", RAY_ADDRESS=None, RAY_TMPDIR=str(short)):
        made = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "object_store_memory": STORE_BYTES,
                "include_dashboard": False,
            },
        )
        try:
            nodes = Nodes(made.address)
            for number in range(n_nodes):
                home = place / f"node{number}"
                (home / "tmp").mkdir(parents=True)
                with _environment(HOME=str(home), TMPDIR=str(home / "tmp")):
                    node = made.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
                nodes.workers.append(node)
                nodes.homes.append(home)
            yield nodes
        finally:
            made.shutdown()
            shutil.rmtree(short, ignore_errors=True)


def wait_for(condition: Callable[[], Any], running: subprocess.Popen[str]) -> Any:
    """Return a condition's value once it is true, while a command runs."""
    until = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < until
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    return value


def hear_ctrl_c() -> None:
    """Undo that a shell has what it runs in the background ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def _environment(**values: str | None) -> Generator[None]:
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def kill_node(node: Any) -> None:
    """Kill all processes of a node at once, as a machine dies."""
    import psutil

    (raylet,) = [one.process for one in node.all_processes["raylet"]]
    top = psutil.Process(raylet.pid)
    for process in [top, *top.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
