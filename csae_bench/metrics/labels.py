"""Conversion of labels of any kind to numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csae_bench.metrics.errors import MetricInputError


def labels_of(factors: Any, names: Sequence[str] | None) -> dict[str, NDArray[Any]]:
    """Name -> labels [n]; see `Factors.of`."""
    if isinstance(factors, Mapping):
        columns = {str(name): _labels(labels, str(name)) for name, labels in factors.items()}
    else:
        columns = _columns(factors, names)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise MetricInputError(
            f"factors differ in length: {lengths}; give every factor one label a sample."
        )
    if not columns or not max(lengths.values()):
        raise MetricInputError("there are no factors, or no samples; give at least one each.")
    return columns


def number(column: NDArray[Any], name: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the place of each label among the sorted ones, int64 [n], and their names."""
    labels = column.astype(str) if column.dtype.kind == "O" else column
    if labels.dtype.kind not in "biufUS":
        raise MetricInputError(
            f"factor '{name}' has labels of dtype {column.dtype}; give texts or numbers."
        )
    unique, values = np.unique(labels, return_inverse=True)
    return values.astype(np.int64), tuple(str(label) for label in unique.tolist())


def _columns(factors: Any, names: Sequence[str] | None) -> dict[str, NDArray[Any]]:
    try:
        table = np.asarray(_on_cpu(factors))
    except ValueError as error:
        raise MetricInputError(f"factors are no table [n, n_factors]: {error}.") from error
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or 0 in table.shape:
        raise MetricInputError(
            f"factors have the shape {table.shape}; they must be [n, n_factors] with at least one "
            "sample and one factor."
        )
    names = [f"factor_{k}" for k in range(table.shape[1])] if names is None else list(names)
    if len(names) != table.shape[1] or len(set(names)) < len(names):
        raise MetricInputError(
            f"the names are {names} for {table.shape[1]} factors; give one for each, all different."
        )
    return {name: _labels(column, name) for name, column in zip(names, table.T, strict=True)}


def _labels(labels: Any, name: str) -> NDArray[Any]:
    column = labels if isinstance(labels, np.ndarray) else np.array(list(_on_cpu(labels)))
    if column.ndim != 1:
        raise MetricInputError(
            f"factor '{name}' has labels of shape {column.shape}; it must be one label a sample."
        )
    missing = [i for i, label in enumerate(column.tolist()) if _is_missing(label)]
    if missing:
        raise MetricInputError(
            f"factor '{name}' has no label at sample {missing[0]}, and at {len(missing)} in all; "
            "leave these samples out, or give the missing a label of its own."
        )
    return column


def _on_cpu(labels: Any) -> Any:
    """Return a torch tensor from whatever device as one that numpy reads, all else as it is."""
    return labels.detach().cpu() if type(labels).__module__.split(".")[0] == "torch" else labels


def _is_missing(label: object) -> bool:
    return label is None or label == "" or label != label  # NaN alone differs from itself
