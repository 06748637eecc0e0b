"""Factor map of an SAE: the latent of each factor's value, read from an eval's details."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from csae_bench.comparison.model import Reading
from csae_bench.comparison.reading.folder import read_details
from csae_bench.errors import ResultError

EVALS = ("factor_probing", "mig")
"""Evals whose details name the latent of each value, the one that says more first."""
N_TELLING = 6
"""Latents that are named as those that tell most."""
MAX_VALUES = 120
"""Values that a map shows; a data set of one's own may have thousands."""


class MappedValue(NamedTuple):
    """One value of a factor, and the latent that tells most of it."""

    value: str
    latent: int | None
    information: float | None
    """The latent's information on it, in units of the value's entropy, 0 to 1."""
    is_shared: bool
    """Whether the latent is that of a value of another factor, too."""


class MappedFactor(NamedTuple):
    """One factor."""

    name: str
    values: tuple[MappedValue, ...]


class TellingLatent(NamedTuple):
    """A latent that says much of a value."""

    latent: int
    of: str
    """`tense: past`."""
    information: float


@dataclass(frozen=True, kw_only=True)
class FactorMap:
    """The values of all factors."""

    eval_name: str
    factors: tuple[MappedFactor, ...]
    telling: tuple[TellingLatent, ...]
    """Each latent once, the one that tells most first."""
    n_values: int
    n_more: int
    """Values that are not shown."""


def factor_map(readings: Iterable[Reading]) -> FactorMap | None:
    """Return the map of one SAE; None if none of its results says which latents there are.

    Args:
        readings: the results of the SAE.
    """
    by_eval = {reading.eval_name: reading for reading in readings}
    for name in EVALS:
        if name in by_eval:
            try:
                details = read_details(by_eval[name])
            except ResultError:  # gone since
                continue
            mapped = _map(name, details)
            if mapped is not None:
                return mapped
    return None


def _map(eval_name: str, details: Sequence[Mapping[str, Any]]) -> FactorMap | None:
    factors = [
        (name, values)
        for detail in details
        if isinstance(name := detail.get("factor"), str)
        and (values := [v for v in _list(detail.get("values")) if _is_value(v)])
    ]
    owners: dict[int, set[str]] = {}
    for name, values in factors:
        for value in values:
            if value["latent"] is not None:
                owners.setdefault(value["latent"], set()).add(name)
    if not owners:
        return None
    n_values, shown = sum(len(values) for _, values in factors), list[MappedFactor]()
    left = MAX_VALUES
    for name, values in factors:
        if left > 0:
            shown.append(MappedFactor(name, tuple(_value(v, owners) for v in values[:left])))
            left -= len(values)
    return FactorMap(
        eval_name=eval_name,
        factors=tuple(shown),
        telling=_telling(factors),
        n_values=n_values,
        n_more=max(0, n_values - MAX_VALUES),
    )


def _value(value: Mapping[str, Any], owners: Mapping[int, set[str]]) -> MappedValue:
    latent = value["latent"]
    return MappedValue(
        value=value["value"],
        latent=latent,
        information=value["information"],
        is_shared=latent is not None and len(owners[latent]) > 1,
    )


def _telling(factors: Iterable[tuple[str, list[dict[str, Any]]]]) -> tuple[TellingLatent, ...]:
    best: dict[int, TellingLatent] = {}
    for name, values in factors:
        for value in values:
            latent, information = value["latent"], value["information"]
            if latent is None or information is None:
                continue
            known = best.get(latent)
            if known is None or information > known.information:
                best[latent] = TellingLatent(latent, f"{name}: {value['value']}", information)
    return tuple(sorted(best.values(), key=lambda one: -one.information)[:N_TELLING])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_value(value: Any) -> bool:
    """Return whether an entry of a result that others may have written has the fields used here."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("value"), str)
        and isinstance(value.get("latent", ""), int | None)
        and isinstance(value.get("information", ""), float | int | None)
    )
