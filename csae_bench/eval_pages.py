"""Where evals are found, and the rows of their metrics; importing it imports no eval.

An eval's page is a file of the top-level `evals/`, or a module of an installed package that
announces it as an entry point of `csae_bench.evals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from csae_bench.metric_rows import Metric
from csae_bench.plugins import Plugins
from csae_bench.registry import Registry

ENTRY_POINT_GROUP = "csae_bench.evals"

_PACKAGE = Path(__file__).parent
_SHIPPED = _PACKAGE / "_evals"
FOLDER = _SHIPPED if _SHIPPED.is_dir() else _PACKAGE.parent / "evals"
"""Our pages. A wheel carries the top-level folder as csae_bench/_evals; a checkout has it beside
the package."""

PAGES = Plugins("eval", package="csae_bench.evals", folders=[str(FOLDER)], group=ENTRY_POINT_GROUP)


class Registered(Protocol):
    """An eval, as far as its metrics go; see `evals.EvalSpec`."""

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """The rows of its metrics by name."""
        ...


EVALS: Registry[Registered] = Registry("eval")
"""The evals whose pages were imported, by name."""


def metric_rows(eval_name: str) -> Mapping[str, Metric] | None:
    """The rows of an eval's metrics, its page imported; None where no eval has this name.

    Raises:
        PluginError: the eval is of an installed package that cannot be imported.
    """
    if eval_name not in EVALS and eval_name not in PAGES.names():
        return None
    PAGES.load(eval_name, EVALS)
    return EVALS.get(eval_name).metrics
