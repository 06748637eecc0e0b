"""csae-bench: train contrastive sparse autoencoders and evaluate any SAE with SAE-Bench.

Importing this imports neither torch nor sae_lens; the names below are loaded when first used.
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("csae-bench")
except PackageNotFoundError:  # a bare checkout, not installed
    __version__ = "0.0.0"

_LAZY = {
    "ContrastiveSAETrainingRunner": "csae_bench.training.saelens_runner",
    "compare": "csae_bench.api.comparing",
    "evaluate": "csae_bench.api.evaluating",
    "load_sae": "csae_bench.saes.loading",
    "register": "csae_bench.saes",
    "register_eval": "csae_bench.evals",
    "train": "csae_bench.api.training",
}

__all__ = ["__version__", *sorted(_LAZY)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'csae_bench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
