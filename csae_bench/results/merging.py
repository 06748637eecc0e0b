"""The record of an SAE over several runs: a run adds its cells to those that are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from csae_bench.results.schema import Cell, CellStatus, RunRecord

RUN = "run"
"""Cell of a run that stopped between two steps; the next run of the SAE settles it."""


def merged(earlier: RunRecord | None, latest: RunRecord) -> RunRecord:
    """Return the latest record, with the earlier one's cells that it does not have itself.

    Cells of other weights are left out: their results are of an SAE that no longer exists. If the
    latest run stopped before it had weights, the earlier ones are those of the results.
    """
    if earlier is None:
        return latest
    weights_hash = latest.weights_hash or earlier.weights_hash
    if earlier.weights_hash != weights_hash:
        return latest
    kept = {name: cell for name, cell in earlier.cells.items() if name != RUN}
    cells = _in_order({**kept, **latest.cells})
    return latest.model_copy(
        update={
            "status": overall(cells) if cells else latest.status,
            "weights_hash": weights_hash,
            "training_architecture": latest.training_architecture or earlier.training_architecture,
            "d_in": latest.d_in or earlier.d_in,
            "d_sae": latest.d_sae or earlier.d_sae,
            "cells": cells,
            "config": _with_evals_of(earlier.config, latest.config),
            "origins": {
                **{key: of for key, of in earlier.origins.items() if key.startswith("evals.")},
                **latest.origins,
            },
        }
    )


def with_cells(record: RunRecord, cells: Mapping[str, Cell]) -> RunRecord:
    """Return the record with the cells that it lacks, its status made of all."""
    merged = _in_order({**cells, **record.cells})
    if not merged:
        return record
    return record.model_copy(update={"cells": merged, "status": overall(merged)})


def overall(cells: Mapping[str, Cell]) -> CellStatus:
    """Return the status of a run with these cells: failed before invalid before ok."""
    statuses = {cell.status for cell in cells.values()}
    for status in ("failed", "invalid"):
        if status in statuses:
            return status
    return "ok"


def _in_order(cells: Mapping[str, Cell]) -> dict[str, Cell]:
    """Return the cells with training and validity first, the rest as they came."""
    first = [name for name in ("training", "validity") if name in cells]
    return {name: cells[name] for name in (*first, *(n for n in cells if n not in first))}


def _with_evals_of(
    earlier: dict[str, Any] | None, latest: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Return the latest configuration, with the settings of evals that ran earlier."""
    if earlier is None or latest is None:
        return latest
    return {**latest, "evals": {**(earlier.get("evals") or {}), **(latest.get("evals") or {})}}
