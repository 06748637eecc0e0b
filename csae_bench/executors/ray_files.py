"""What goes to a node and back where the machines share no disk."""

from __future__ import annotations

from typing import Protocol

from csae_bench.executors.messages import Shard


class Courier(Protocol):
    """Carries files to a node and back."""

    def bring(self, shard: Shard) -> Shard:
        """Bring what the shard reads to the node; return the shard as the node must read it."""
        ...

    def collect(self, *, is_last: bool) -> None:
        """Fetch what is new there."""
        ...
