"""Locations of evals, and the rows of their metrics; importing it imports no eval.

An eval's page is a file of the top-level `evals/`, or a module of an installed package that
announces it as an entry point of `csae_bench.evals`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from csae_bench.evals.metric_rows import Metric
from csae_bench.plugins import Plugins
from csae_bench.registry import Registry

ENTRY_POINT_GROUP = "csae_bench.evals"

OWN_MODULES = frozenset(
    {
        "about",
        "contract",
        "inputs",
        "metric_models",
        "metric_rows",
        "metric_values",
        "pages",
        "presets",
        "schemas",
        "seeds",
    }
)
"""Modules of this package that are not evals' pages."""


def _pages_folder() -> Path:
    package = Path(__file__).parent
    modules = {module.name for module in pkgutil.iter_modules([str(package)])}
    return package if modules - OWN_MODULES else package.parents[1] / "evals"


NOT_OFFERED = {
    "mdl": "SAE-Bench's own code of it does not run: it imports loguru, which SAE-Bench does not "
    "install, and reads a variable of its command line's script"
}
"""Evals that SAE-Bench has in its package and csae-bench does not have -> why."""

FOLDER = _pages_folder()
"""Folder of our pages: in this package in a wheel, at the top level in a checkout."""

PAGES = Plugins(
    "eval",
    package="csae_bench.evals",
    folders=[str(FOLDER)],
    group=ENTRY_POINT_GROUP,
    excluded=OWN_MODULES,
    not_offered=NOT_OFFERED,
)


class Registered(Protocol):
    """An eval, as far as its metrics go; see `evals.EvalSpec`."""

    @property
    def name(self) -> str:
        """Its eval_type_id."""
        ...

    @property
    def about(self) -> dict[str, str]:
        """The named parts of its description."""
        ...

    @property
    def summary(self) -> str:
        """First line of its description."""
        ...

    @property
    def shown(self) -> Sequence[str]:
        """The metrics that a run shows, in order."""
        ...

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """The rows of its metrics by name."""
        ...


EVALS: Registry[Registered] = Registry("eval")
"""The evals whose pages were imported, by name."""


def registered(eval_name: str) -> Registered | None:
    """Return an eval, its page imported; None if no eval has this name.

    Raises:
        PluginError: the eval is of an installed package that cannot be imported.
    """
    if eval_name not in EVALS and eval_name not in PAGES.names():
        return None
    PAGES.load(eval_name, EVALS)
    return EVALS.get(eval_name)


def metric_rows(eval_name: str) -> Mapping[str, Metric] | None:
    """Return the rows of an eval's metrics; None if no eval has this name.

    Raises:
        PluginError: the eval is of an installed package that cannot be imported.
    """
    spec = registered(eval_name)
    return None if spec is None else spec.metrics
