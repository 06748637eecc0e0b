"""Shapes of models that the user loaded, with names that neither the table nor the hub knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHAPES: dict[str, dict[str, Any]] = {}


def hold(name: str, shape: Mapping[str, Any]) -> None:
    """Make a model in memory known by its name, with the fields of its HookedTransformerConfig."""
    _SHAPES[name] = {"original_architecture": "unknown", **shape}


def held_shape(name: str) -> dict[str, Any] | None:
    """Return the shape of a model in memory; None for a name that is not held."""
    return _SHAPES.get(name)
