"""How many processes share a run, and what each of them may use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace

from csae_bench.config.loading import is_config, partial_config
from csae_bench.executors.processes import ProcessesExecutor
from csae_bench.executors.table import ExecutorOptions
from csae_bench.hardware.devices import pick_device
from csae_bench.runs.plan import Plan
from csae_bench.runs.request import RunRequest
from csae_bench.support.threads import n_cores


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """Settings of the executor `processes`."""

    n_workers: int | None = None
    """None: one for each GPU, or for every two cores."""

    @property
    def _n(self) -> int:
        return self.n_workers or len(gpu_ids()) or max(1, n_cores() // 2)

    def prepared(self, requests: Sequence[RunRequest]) -> list[RunRequest]:
        """Return the requests with the threads that a worker takes, where none are set.

        They become part of the configuration that results record: the last bits of a sum can
        depend on them.
        """
        n_threads = max(1, n_cores() // self._n)
        return [with_threads(request, n_threads) for request in requests]

    def adjusted(self, plan: Plan) -> Plan:
        """Return the plan as it is: its checks are about this machine."""
        return plan

    def examined(self, plan: Plan) -> Plan:
        """Return the plan as it is: preflight has examined this machine."""
        return plan

    def build(self, plan: Plan, *, train_only: bool) -> ProcessesExecutor:
        """Return the executor of a plan."""
        device = pick_device(plan.saes[0].device)
        return self.executor(device, n_saes=len(plan.saes), train_only=train_only)

    def executor(self, device: str, *, n_saes: int, train_only: bool) -> ProcessesExecutor:
        """Return the executor of a run."""
        return ProcessesExecutor(
            n_workers=min(self._n, n_saes),
            train_only=train_only,
            # a device with a number is the one that was asked for
            gpus=gpu_ids() if device == "cuda" else (),
        )


def worker_settings(options: ExecutorOptions) -> WorkerSettings:
    """Return the settings that the options make."""
    return WorkerSettings(n_workers=options.workers)


def gpu_ids() -> tuple[str, ...]:
    """Return ids of this machine's GPUs as CUDA_VISIBLE_DEVICES takes them, without torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(part.strip() for part in visible.split(",") if part.strip())
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    n_gpus = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return tuple(str(i) for i in range(n_gpus))


def with_threads(request: RunRequest, n_threads: int) -> RunRequest:
    """Return a request with so many threads, unless it says how many itself."""
    if is_config(request.source):
        resolved = partial_config(request.source, **request.flags)
        if resolved is not None and resolved.config.threads is not None:
            return request
    elif any(text.startswith("threads=") for text in request.sets):
        return request
    return replace(request, sets=(*request.sets, f"threads={n_threads}"))
