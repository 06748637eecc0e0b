"""Yardsticks: scores of PCA, a random decoder, a bag of words and the like, on default settings.

They are data of this package, `yardsticks.json`, which `make yardsticks` writes. One is shown next
to a score only where `compare` would compare the two: the same model, hook, data, unit and settings
of the metric. A yardstick that is computed from a factor dataset alone holds for every model.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from csae_bench.comparison.comparability import mismatches
from csae_bench.comparison.model import Condition, Family, Reading
from csae_bench.comparison.reading.conditions import DATA, DEFINITION, SHUFFLED

FILE = "yardsticks.json"
DIGITS = 4
"""Decimals of the values in it: more differ between machines."""

_OF_DATASET = ("dataset", "split", "pooling", SHUFFLED)
"""Conditions of a yardstick that is computed from a dataset alone, besides counts of the data and
definitions of metrics."""


class Yardstick(NamedTuple):
    """One yardstick of a score."""

    label: str
    """`PCA`, `every word`."""
    value: float


class Row(BaseModel):
    """Values of one yardstick on one eval."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    label: str
    """Its name for a reader."""
    eval_name: str
    model_fingerprint: str | None
    """Hash of the model's weights; None for one computed from the factor dataset alone."""
    conditions: dict[str, Condition]
    """Conditions under which it was measured, as `compare` reads them."""
    values: dict[str, float]
    """`mig.value_mig` -> value."""


class Table(BaseModel):
    """Everything in `yardsticks.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    made_with: dict[str, Any]
    """Default settings that the rows belong to; a test compares them with today's."""
    rows: tuple[Row, ...]


@cache
def shipped() -> Table:
    """Return the yardsticks of this package."""
    text = files("csae_bench.comparison").joinpath(FILE).read_text(encoding="utf-8")
    return Table.model_validate_json(text)


def yardsticks_of(reading: Reading, metric: str, table: Table | None = None) -> list[Yardstick]:
    """Return the yardsticks of a result's metric, in the table's order; empty if none belongs.

    Args:
        metric: `mig.value_mig`.
        table: those to choose from; None: the shipped ones.
    """
    return [
        Yardstick(row.label, row.values[metric])
        for row in (table or shipped()).rows
        if metric in row.values and _belongs(row, reading, metric)
    ]


def of_dataset_alone(conditions: Mapping[str, Condition]) -> dict[str, Condition]:
    """Select the conditions that a yardstick computed from a dataset depends on."""
    return {name: value for name, value in conditions.items() if _is_of_dataset(name)}


def _belongs(row: Row, reading: Reading, metric: str) -> bool:
    differing = mismatches(_as_reading(row), reading, metric)
    if row.model_fingerprint is None:
        return not any(_is_of_dataset(name) for name in differing)
    return row.model_fingerprint == reading.model_fingerprint and not differing


def _is_of_dataset(name: str) -> bool:
    return name in _OF_DATASET or name.startswith((DATA, DEFINITION))


def _as_reading(row: Row) -> Reading:
    return Reading(
        path=Path(FILE),
        eval_name=row.eval_name,
        family=Family("", row.label),
        sae_id=row.label,
        seed=None,
        values=row.values,
        conditions=row.conditions,
    )
