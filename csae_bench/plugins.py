"""Modules that are found by name and imported on demand: ours, and those of other packages.

Ours lie in a package's folders; a third party's are entry points of an installed package. Listing
their names imports none of them. A module registers what it brings under its own name.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from csae_bench.errors import PluginError, UnknownNameError, UsageError, reason_of
from csae_bench.registry import Registry


class Plugins:
    """The modules of one kind.

    Args:
        kind: what one brings, in messages: "eval".
        package: the package that ours belong to.
        folders: where ours lie.
        group: entry-point group of those of other packages.
        excluded: modules in these folders that bring nothing.
        not_offered: names that a user may look for in vain -> why, a sentence without a full stop.
    """

    def __init__(
        self,
        kind: str,
        *,
        package: str,
        folders: Iterable[str],
        group: str,
        excluded: Iterable[str] = (),
        not_offered: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self._not_offered = not_offered or {}
        self._excluded = frozenset(excluded)
        self.group = group
        self._package = package
        self._folders = list(folders)

    def names(self) -> list[str]:
        """Return all names, sorted; nothing is imported."""
        return sorted({*self.shipped, *self._entry_points})

    @property
    def not_offered(self) -> dict[str, str]:
        """Return the names that are known and brought by no module, each with the reason."""
        names = self.names()
        return {name: why for name, why in self._not_offered.items() if name not in names}

    @cached_property
    def shipped(self) -> frozenset[str]:
        """Our own names, which no other package can take."""
        names = {module.name for module in pkgutil.iter_modules(self._folders)}
        return frozenset(names - self._excluded)

    def load(self, name: str, registry: Registry[Any]) -> None:
        """Import the module called `name`, which registers its contents.

        Raises:
            UnknownNameError: no module and no entry point has this name.
            UsageError: the name is known, and not offered.
            PluginError: the installed package cannot be imported, or registers nothing of the name.
        """
        if name in registry:
            return
        if name in self.shipped:
            importlib.import_module(f"{self._package}.{name}")
            return
        if name in self.not_offered:
            raise UsageError(
                f"The {self.kind} '{name}' is not offered: {self.not_offered[name]}. "
                f"Available: {', '.join(self.names())}."
            )
        if name not in self._entry_points:
            raise UnknownNameError(self.kind, name, [*registry, *self.names()])
        point = self._entry_points[name]
        try:
            point.load()
        # a module may do anything, sys.exit() included, and must not take down a comparison
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"The {self.kind} '{name}' of the installed package {_package_of(point)} cannot be "
                f"imported: {type(error).__name__}: {reason_of(error)}. Repair or uninstall the "
                "package."
            ) from error
        if name not in registry:
            raise PluginError(
                f"The installed package {_package_of(point)} announces the {self.kind} '{name}' "
                f"(entry point {point.value}), but registers none of this name."
            )

    def versions(self, name: str) -> dict[str, str]:
        """Return distribution and version of the installed package of `name`; none for ours."""
        if name in self.shipped or name not in self._entry_points:
            return {}
        dist = self._entry_points[name].dist
        return {} if dist is None else {dist.name.replace("-", "_"): dist.version}

    def code_of(self, name: str) -> tuple[str, list[Path]]:
        """Return version and Python files of the installed package of `name`; none for ours.

        Nothing is imported.
        """
        if name in self.shipped or name not in self._entry_points:
            return "", []
        point = self._entry_points[name]
        spec = importlib.util.find_spec(point.module.partition(".")[0])
        if spec is None:
            return _package_of(point), []
        folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
        files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
        return _package_of(point), files or [Path(str(spec.origin))]

    @cached_property
    def _entry_points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)}


def _package_of(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.module
