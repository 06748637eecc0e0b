"""One run record as a RunReading."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from csae_bench.comparison.model import RunReading
from csae_bench.comparison.reading.names import (
    SPARSITY_KEYS,
    WITHOUT_EFFECT,
    names_of_record,
    overlong,
)
from csae_bench.comparison.reading.values import mapping, number
from csae_bench.errors import ResultError

_MAX_MESSAGE = 10_000
"""Characters of an error's message that are kept."""
STATUSES = ("ok", "failed", "skipped", "invalid")


def run_of(record: Mapping[str, Any], path: Path) -> RunReading:
    """Read a run from its record, of any version of the record.

    Raises:
        ResultError: it does not say whose record it is, or how the run ended.
    """
    for key in ("release", "sae_id", "status"):
        value = record.get(key)
        if not isinstance(value, str) or (key == "status" and value not in STATUSES):
            allowed = f"one of {', '.join(STATUSES)}" if key == "status" else "a text"
            raise ResultError(f"{path}: {key} is {value!r}; in a run record it must be {allowed}.")
    too_long = overlong(record, ("release", "sae_id"))
    if too_long is not None:
        raise ResultError(f"{path}: {too_long}. Correct or delete the file.")
    names = names_of_record(record)
    config, training = mapping(record.get("config")), mapping(record.get("training"))
    cells = {name: mapping(cell) for name, cell in mapping(record.get("cells")).items()}
    status, weights_hash = str(record["status"]), record.get("weights_hash")
    return RunReading(
        path=path,
        family=names.family,
        sae_id=names.sae_id,
        seed=names.seed,
        status=status,
        problems=_problems(record, cells, status),
        cells={
            name: cell["status"] for name, cell in cells.items() if cell.get("status") in STATUSES
        },
        planned_steps=_count(training.get("planned_steps")),
        executed_steps=_count(training.get("executed_steps")),
        final_loss=number(training.get("final_loss")),
        d_sae=names.d_sae,
        learning_rate=_learning_rate(config, cells),
        sparsity=_sparsity(config),
        wall_seconds=number(record.get("wall_seconds")),
        changes=_changes(mapping(record.get("origins")), config),
        weights_hash=weights_hash if isinstance(weights_hash, str) and weights_hash else None,
    )


def _problems(
    record: Mapping[str, Any], cells: Mapping[str, Mapping[str, Any]], status: str
) -> tuple[str, ...]:
    """Return preflight's problems, then the reasons of bad cells; one without a reason is named."""
    refused = record.get("problems")
    problems = (
        [text for text in refused if isinstance(text, str)] if isinstance(refused, list) else []
    )
    for name, cell in cells.items():
        if cell.get("status") in ("failed", "invalid"):
            messages = _messages(cell) or [f"{cell['status']}, without a reason"]
            problems += [f"{name}: {message}" for message in messages]
    if not problems and status in ("failed", "invalid"):
        problems = [f"the record says {status} and gives no reason"]
    return tuple(dict.fromkeys(problems))


def _messages(cell: Mapping[str, Any]) -> list[str]:
    reasons = cell.get("reasons")
    if not isinstance(reasons, list):
        return []
    messages = [mapping(reason).get("message") for reason in reasons]
    return [message[:_MAX_MESSAGE] for message in messages if isinstance(message, str) and message]


def _changes(origins: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the changes by flags, except those that do not affect the weights."""
    keys = [tuple(key.split(".")) for key, origin in sorted(origins.items()) if origin == "flag"]
    ignored = [key for key in keys if any(key[: len(of)] == of for of in WITHOUT_EFFECT)]
    values = ((".".join(key), _value_at(config, key)) for key in keys if key not in ignored)
    return tuple(
        f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in values
    )


def _value_at(config: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    value: Any = config
    for key in keys:
        value = mapping(value).get(key)
    return value


def _learning_rate(
    config: Mapping[str, Any], cells: Mapping[str, Mapping[str, Any]]
) -> float | None:
    if cells.get("training", {}).get("status") == "skipped":
        return None
    return number(mapping(config.get("training")).get("learning_rate"))


def _sparsity(config: Mapping[str, Any]) -> float | None:
    """Return whichever the SAE has: the penalty's coefficient, k, or the L0 that is held."""
    values = (number(_value_at(config, keys)) for keys in SPARSITY_KEYS)
    return next((value for value in values if value is not None), None)


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count and 0 <= value < 2**63 else None
