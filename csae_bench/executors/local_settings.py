"""Settings of the executor `local`: there is nothing to set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from csae_bench.executors.local import LocalExecutor
from csae_bench.executors.table import ExecutorOptions
from csae_bench.hardware.devices import pick_device
from csae_bench.runs.plan import Plan
from csae_bench.runs.request import RunRequest
from csae_bench.runs.session import Session


@dataclass(frozen=True)
class LocalSettings:
    """Settings of the executor `local`."""

    def prepared(self, requests: Sequence[RunRequest]) -> list[RunRequest]:
        """Return the requests as they are."""
        return list(requests)

    def adjusted(self, plan: Plan) -> Plan:
        """Return the plan as it is: its checks are about this machine."""
        return plan

    def examined(self, plan: Plan) -> Plan:
        """Return the plan as it is: preflight has examined this machine."""
        return plan

    def build(self, plan: Plan, *, train_only: bool) -> LocalExecutor:
        """Return the executor of a plan."""
        session = Session(pick_device(plan.saes[0].device), n_saes=len(plan.saes))
        return LocalExecutor(session, train_only)


def local_settings(options: ExecutorOptions) -> LocalSettings:
    """Return the settings; the executor takes no options."""
    del options
    return LocalSettings()
