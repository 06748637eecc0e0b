"""The evals of a card: what each measured, repetitions as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from csae_bench.comparison.model import Reading
from csae_bench.comparison.outputs.scores import ShownScore, scores_of
from csae_bench.comparison.reading.folder import read_result
from csae_bench.comparison.reading.repetitions import averaged
from csae_bench.errors import PluginError, ResultError
from csae_bench.evals.pages import registered
from csae_bench.factors.dataset import POOLING_IN_WORDS
from csae_bench.results.schema import STEPS, Cell, RunRecord
from csae_bench.results.store import Store


@dataclass(frozen=True, kw_only=True)
class EvalPart:
    """One eval of a card."""

    eval_name: str
    summary: str
    """First line of its description, and which codes it scores; empty if it is not known."""
    status: str
    """ok, failed, skipped or invalid."""
    why: str
    """Reason for another status than ok; warnings of the eval otherwise."""
    seconds: float | None
    scores: tuple[ShownScore, ...]
    n_repetitions: int = 1
    """Seeds of the eval whose mean the scores are."""


def readings_of(record: RunRecord, store: Store) -> dict[str, Reading]:
    """Return the results of a run by cell; of repetitions the mean, by the cell of the first."""
    cells = {
        reading.path: (name, reading)
        for name, cell in record.cells.items()
        if (reading := _reading(cell, store)) is not None
    }
    means = averaged(reading for _, reading in cells.values())
    return {cells[reading.path][0]: reading for reading in means}


def eval_parts(
    record: RunRecord, readings: Mapping[str, Reading], store: Store
) -> Iterator[EvalPart]:
    """Yield the evals of a run in the order of its configuration.

    Args:
        readings: what `readings_of` returns.
    """
    seconds = {
        store.root / cell.result: cell.wall_seconds or 0.0
        for cell in record.cells.values()
        if cell.result
    }
    repeated = {path for reading in readings.values() for path in reading.repetitions[1:]}
    for name, cell in sorted(record.cells.items(), key=lambda item: _place(item[0], record)):
        is_part = cell.result is not None and store.root / cell.result in repeated
        if name in STEPS or name == "run" or is_part:
            continue
        part, reading = _part(name, cell, readings.get(name)), readings.get(name)
        if reading is not None and reading.repetitions:
            part = replace(
                part, seconds=sum(seconds.get(path, 0.0) for path in reading.repetitions)
            )
        yield part


def eval_part(reading: Reading) -> EvalPart:
    """Return the part of a result that no run record names."""
    return EvalPart(
        eval_name=reading.eval_name,
        summary=_summary(reading.eval_name, reading),
        status="ok",
        why="",
        seconds=None,
        scores=tuple(scores_of(reading)),
        n_repetitions=reading.n_repetitions,
    )


def _place(cell: str, record: RunRecord) -> int:
    """Return an eval's place in the run's configuration; a further result's is that of its eval."""
    evals = list((record.config or {}).get("evals", {}))
    names = [name for name in evals if cell == name or cell.startswith(f"{name}_")]
    return evals.index(max(names, key=len)) if names else len(evals)


def _part(name: str, cell: Cell, reading: Reading | None) -> EvalPart:
    # a cell of a further result is `mig_1234abcd`
    eval_name = name if reading is None else reading.eval_name
    why = [reason.message for reason in cell.reasons] or list(cell.warnings)
    return EvalPart(
        eval_name=name,
        summary=_summary(eval_name, reading),
        status=cell.status,
        why="; ".join(why),
        seconds=cell.wall_seconds,
        n_repetitions=1 if reading is None else reading.n_repetitions,
        scores=() if reading is None or cell.status != "ok" else tuple(scores_of(reading)),
    )


def _summary(eval_name: str, reading: Reading | None) -> str:
    """Return what an eval measures, and of what where it scores codes of prompts."""
    try:
        spec = registered(eval_name)
    except PluginError:  # compare says in its warnings that the package cannot be imported
        return ""
    summary = "" if spec is None else spec.summary.rstrip(".")
    unit = POOLING_IN_WORDS.get(str(reading.conditions.get("pooling"))) if reading else None
    return "; ".join(part for part in (summary, unit) if part)


def _reading(cell: Cell, store: Store) -> Reading | None:
    if cell.result is None or cell.status != "ok":
        return None
    try:
        return read_result(store.root / cell.result)
    except ResultError:  # listed as broken, or gone since
        return None
