"""Connection to a Ray cluster: one that is there, or one that is started on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from csae_bench.errors import RunError, UsageError
from csae_bench.executors.ray_nodes import RayNode, nodes_of
from csae_bench.support import progress
from csae_bench.support.threads import n_cores

AUTO = "auto"
"""Address of the cluster of which this machine is a node."""

_OBJECT_STORE_BYTES = 128 * 2**20
"""Room for messages: no tensor goes through the object store."""

_SECONDS_TO_REACH = 10.0

_N_STARTS = 3
"""Times that a local cluster is started; on a busy machine Ray's own limit may be too short."""


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """A cluster that this process is connected to."""

    address: str | None
    """None: it was started here, and ends with the run."""
    seconds: float
    """That connecting took, or starting."""

    def nodes(self) -> list[RayNode]:
        """Return the live nodes."""
        import ray

        return nodes_of(ray.nodes())


@contextmanager
def connected(address: str | None) -> Generator[RayCluster]:
    """Connect to a cluster, or start one with this machine's cores and GPUs; undo that at the end.

    Args:
        address: `host:port` or `auto`; None: RAY_ADDRESS, or a cluster of our own.

    Raises:
        UsageError: the address is none, or no cluster answers there.
        RunError: none can be started here.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    if address is not None:
        _check(address)
    # before ray is imported
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # of a cluster that is started here: by default Ray's workers give way to all other processes
    os.environ.setdefault("RAY_worker_niceness", "0")
    import ray

    if ray.is_initialized():  # the caller's, from Python
        yield RayCluster(address=address or AUTO, seconds=0.0)
        return
    where = "a local Ray cluster" if address is None else f"the Ray cluster at {address}"
    progress.begin(f"{'starting' if address is None else 'connecting to'} {where}")
    at_sigterm = signal.getsignal(signal.SIGTERM)
    started = time.perf_counter()
    with _ray_is_silent():
        try:
            _init(address)
            signal.signal(signal.SIGTERM, at_sigterm)  # Ray's ends in another exit code
            seconds = time.perf_counter() - started
            done = "started" if address is None else "reached"
            progress.say(f"{where} was {done} in {seconds:.1f} s")
            yield RayCluster(address=address, seconds=seconds)
        finally:
            ray.shutdown()  # ends what was started here, and leaves a cluster that was there


def _init(address: str | None) -> None:
    import ray

    if address is None:
        _start()
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise UsageError(
            f"--ray-address {address}: cannot be connected to: {reason}. Run the command on a "
            "machine of the cluster (`ray status` says whether this is one), with the same "
            "versions of Ray and Python."
        ) from error


def _start() -> None:
    import ray

    for attempt in range(1, _N_STARTS + 1):
        try:
            ray.init(
                num_cpus=n_cores(),
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
            return
        except Exception as error:  # Ray raises bare ones where its processes take over 30 s
            ray.shutdown()
            reason = str(error).strip().splitlines()[0].rstrip(".")
            if attempt == _N_STARTS:
                raise RunError(
                    f"A local Ray cluster cannot be started: {reason}. See the logs in "
                    "/tmp/ray/session_latest/logs, or use --executor processes."
                ) from error
            progress.say(f"Ray did not start: {reason}; once more")


@contextmanager
def _ray_is_silent() -> Generator[None]:
    """Drop what Ray prints on stdout, which is for results: it prints on it when a node is lost.

    CSAE_BENCH_DEBUG=1 shows it on stderr.
    """
    if os.environ.get("CSAE_BENCH_DEBUG"):
        with contextlib.redirect_stdout(sys.stderr):
            yield
        return
    with (
        open(os.devnull, "w", encoding="utf-8") as nothing,
        contextlib.redirect_stdout(nothing),
    ):
        yield


def _check(address: str) -> None:
    """Raise where an address is none, or nothing listens there: Ray itself would wait for long."""
    if address == AUTO:
        return
    if address.startswith("ray://"):
        raise UsageError(
            f"--ray-address {address}: is the address of a Ray Client server; give the cluster's "
            "own, such as 10.0.0.1:6379, and run the command on a machine of the cluster, or "
            "submit it with `ray job submit`."
        )
    match = re.fullmatch(r"\[?([^\s/\]]+)\]?:(\d{1,5})", address)
    if match is None or not 0 < int(match[2]) < 2**16:
        raise UsageError(
            f"--ray-address {address}: is no address; it must be host:port, such as "
            "10.0.0.1:6379, or auto for the cluster of which this machine is a node."
        )
    try:
        with socket.create_connection((match[1], int(match[2])), timeout=_SECONDS_TO_REACH):
            pass
    except OSError as error:
        raise UsageError(
            f"--ray-address {address}: no Ray cluster answers there: "
            f"{error.strerror or error}. Start one with `ray start --head --port={match[2]}`."
        ) from error
