"""Language models by name: the tinyworld one, local Hugging Face folders, names on the hub.

Importing this, `resolve`, `describe` of everything but a hub name without a row in the table, and
`weights_fingerprint` import neither torch nor transformers; `load` does.

Adding a model is a row in `table.py`; adding an architecture is one in `architectures/table.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from csae_bench.models.description import ModelInfo, describe
from csae_bench.models.fingerprint import weights_fingerprint
from csae_bench.models.names import ModelReference, resolve
from csae_bench.models.table import model_names

if TYPE_CHECKING:
    from csae_bench.models.loading import load

__all__ = [
    "ModelInfo",
    "ModelReference",
    "describe",
    "load",
    "model_names",
    "resolve",
    "weights_fingerprint",
]


def __getattr__(name: str) -> Any:
    if name == "load":  # its module imports torch
        from csae_bench.models.loading import load

        return load
    raise AttributeError(f"module 'csae_bench.models' has no attribute '{name}'")
