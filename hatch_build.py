"""Puts the top-level `evals/` and `sae_configs/` into a wheel, inside the package.

An editable install leaves them out: there the package finds the folders of the checkout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = {"evals": "csae_bench/evals", "sae_configs": "csae_bench/_sae_configs"}


class ShipTopLevelFolders(BuildHookInterface[Any]):
    """Adds each of FOLDERS to a standard wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        for source, target in FOLDERS.items():
            build_data["force_include"][str(Path(self.root) / source)] = target
