"""Calls of an actor that outlive a break of the network."""

from __future__ import annotations

import time
from typing import Any

_SECONDS_UNREACHABLE = 60.0
"""Time after which an actor that cannot be reached is lost; Ray knows a dead node sooner."""


def ask(method: Any, *arguments: Any) -> Any:
    """Call a method of an actor and return its answer.

    Where the actor cannot be reached it is called again, until Ray knows that it is dead: no method
    of ours does anything twice.

    Raises:
        ray.exceptions.RayError: it is dead, cannot be reached, or raised.
    """
    import ray
    from ray.exceptions import ActorUnavailableError

    until = time.monotonic() + _SECONDS_UNREACHABLE
    while True:
        try:
            return ray.get(method.remote(*arguments))
        except ActorUnavailableError:
            if time.monotonic() > until:
                raise
            time.sleep(1.0)
