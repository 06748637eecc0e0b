"""Table of the executors that `--executor` names. Another one is a row here, and its modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from csae_bench.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from csae_bench.executors import Executor
    from csae_bench.runs.plan import Plan
    from csae_bench.runs.request import RunRequest


class ExecutorSettings(Protocol):
    """How a run's executor is set up; known before anything is planned, and cheap to make."""

    def prepared(self, requests: Sequence[RunRequest]) -> list[RunRequest]:
        """Return the requests as the executor's workers can run them."""
        ...

    def adjusted(self, plan: Plan) -> Plan:
        """Return the plan without checks that say nothing about where the work is done.

        Raises:
            UsageError: a configuration asks for what no worker has.
        """
        ...

    def examined(self, plan: Plan) -> Plan:
        """Return the plan with checks of where the work would be done, for `doctor`.

        Raises:
            UsageError: that cannot be reached.
        """
        ...

    def build(self, plan: Plan, *, train_only: bool) -> Executor:
        """Return the executor of a plan without problems.

        Raises:
            UsageError: it cannot run here, or not this plan.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ExecutorOptions:
    """Values of the command line's options about the executor; None or False: not given."""

    workers: int | None = None
    ray_address: str | None = None
    collect: bool = False


@dataclass(frozen=True, kw_only=True)
class ExecutorRow:
    """An executor."""

    summary: str
    """Where it does the work, in a few words."""
    settings: str
    """`module:function` that makes an ExecutorSettings of ExecutorOptions; a lazy import."""
    options: tuple[str, ...] = ()
    """Fields of ExecutorOptions that it takes."""
    package: str | None = None
    """Module that must be installed."""
    extra: str | None = None
    """Extra of this package that installs it."""


EXECUTORS: dict[str, ExecutorRow] = {
    "local": ExecutorRow(
        summary="in this process",
        settings="csae_bench.executors.local_settings:local_settings",
    ),
    "processes": ExecutorRow(
        summary="in several processes on this machine",
        settings="csae_bench.executors.workers:worker_settings",
        options=("workers",),
    ),
    "ray": ExecutorRow(
        summary="on the machines of a Ray cluster",
        settings="csae_bench.executors.ray_settings:ray_settings",
        options=("workers", "ray_address", "collect"),
        package="ray",
        extra="ray",
    ),
}


def executor_settings(name: str, options: ExecutorOptions) -> ExecutorSettings:
    """Return the settings of the executor of this name.

    Raises:
        UnknownNameError: there is none.
        UsageError: it takes no such option, or a package that it needs is not installed.
    """
    if name not in EXECUTORS:
        raise UnknownNameError("executor", name, EXECUTORS)
    row = EXECUTORS[name]
    for option, value in vars(options).items():
        if value and option not in row.options:
            takers = " or ".join(other for other, its in EXECUTORS.items() if option in its.options)
            flag = f"--{option.replace('_', '-')}"
            raise UsageError(f"{flag} is for --executor {takers}; leave it out, or name that.")
    if row.package is not None and find_spec(row.package) is None:
        raise UsageError(
            f"--executor {name} needs the package {row.package}, which is not installed: "
            f"pip install 'csae-bench[{row.extra}]'"
        )
    module, _, function = row.settings.partition(":")
    make: Callable[[ExecutorOptions], ExecutorSettings] = getattr(import_module(module), function)
    return make(options)
