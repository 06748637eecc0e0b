"""Cards: what is known of one SAE, in one place, for the end of a run and for the HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from csae_bench.comparison.model import Reading, ResultSet
from csae_bench.comparison.outputs.card_evals import EvalPart, eval_part, eval_parts, readings_of
from csae_bench.comparison.outputs.scores import number
from csae_bench.comparison.reading.json_files import load_object
from csae_bench.errors import ResultError
from csae_bench.results.pages import pages_of
from csae_bench.results.schema import STEPS, RunRecord
from csae_bench.results.store import Store
from csae_bench.results.training_log import last_line
from csae_bench.support.progress import duration

MAX_CARDS = 20
"""Cards on a page; its tables have all SAEs."""

NO_YARDSTICKS = "no yardsticks for these settings"


class CardFact(NamedTuple):
    """One line of the summary."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """One SAE."""

    sae_id: str
    release: str
    about: str
    """Architecture and sizes."""
    status: str
    """valid, invalid, failed, or empty where no run says it."""
    reasons: tuple[str, ...]
    """Why it is invalid or failed."""
    facts: tuple[CardFact, ...]
    """Summary of the training."""
    evals: tuple[EvalPart, ...]
    pages: tuple[Path, ...]
    """Pages and pictures of its evals."""
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    """Package -> the version that ran; empty where no run says it."""

    @property
    def has_yardsticks(self) -> bool:
        """Whether any of its scores has a shipped yardstick."""
        return any(s.has_shipped_yardsticks for part in self.evals for s in part.scores)


def card_of_record(record: RunRecord, store: Store) -> Card:
    """Return the card of an SAE that was run here, from its record and its results."""
    readings = readings_of(record, store)
    validity = record.cells.get("validity")
    bad = [
        f"{name}: {reason.message}" if name not in ("validity", "run") else reason.message
        for name, cell in record.cells.items()
        if cell.status in ("failed", "invalid") and (name in STEPS or name == "run")
        for reason in cell.reasons
    ]
    is_judged = validity is not None and validity.status == "ok"
    return Card(
        sae_id=record.sae_id,
        release=record.release,
        about=_about(record.training_architecture, record.d_sae, record.d_in, record.hook_name),
        status="valid" if is_judged and not bad else record.status if bad else "",
        reasons=(*record.problems, *bad),
        facts=tuple(_facts(record, readings.get("core"), store)),
        evals=tuple(eval_parts(record, readings, store)),
        pages=tuple(pages_of(record, store)),
        versions=record.versions,
    )


def cards_of(results: ResultSet) -> list[Card]:
    """Return a card for each SAE of a folder, the last run first, at most `MAX_CARDS`."""
    by_sae: dict[tuple[str, str], list[Reading]] = {}
    for reading in results.readings:
        if not reading.family.variant:
            by_sae.setdefault((reading.family.release, reading.sae_id), []).append(reading)
    # of a folder with thousands of runs, only those are read again that have a card
    latest = sorted(results.runs, key=lambda run: _modified(run.path), reverse=True)[:MAX_CARDS]
    records = [(run, record) for run in latest if (record := read_run(run.path)) is not None]
    records.sort(key=lambda pair: pair[1].started, reverse=True)
    cards = [
        _with_findings(
            card_of_record(record, Store(run.path.parents[1])),
            by_sae.get((record.release, record.sae_id), []),
        )
        for run, record in records
    ]
    known = {(record.release, record.sae_id) for _, record in records}
    others = [of_sae for key, of_sae in by_sae.items() if key not in known]
    return [*cards, *map(_card_of_readings, others[: MAX_CARDS - len(cards)])]


def n_saes(results: ResultSet) -> int:
    """Return the number of SAEs in a folder."""
    runs = {(run.family.release, run.sae_id) for run in results.runs}
    return len(runs | {(reading.family.release, reading.sae_id) for reading in results.readings})


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # gone since
        return 0.0


def _with_findings(card: Card, readings: list[Reading]) -> Card:
    """Return the card of an SAE that the comparison found invalid as such."""
    why = _why_invalid(readings)
    if not why or card.status == "failed":
        return card
    return replace(card, status="invalid", reasons=tuple(dict.fromkeys((*card.reasons, *why))))


def _why_invalid(readings: list[Reading]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason for reading in readings for reason in reading.invalid))


def _card_of_readings(readings: list[Reading]) -> Card:
    first, why = readings[0], _why_invalid(readings)
    return Card(
        sae_id=first.sae_id,
        release=first.family.release,
        about=_about(first.architecture, first.d_sae, None, None),
        status="invalid" if why else "",
        reasons=why,
        facts=(),
        evals=tuple(eval_part(reading) for reading in readings),
        pages=(),
    )


def _facts(record: RunRecord, core: Reading | None, store: Store) -> Iterator[CardFact]:
    training = record.training
    last: Mapping[str, float] = {}
    if training is None:
        if record.cells.get("training", None) is not None:
            yield CardFact("training", "none: there is nothing to train")
    else:
        took = "" if training.wall_seconds is None else f" in {duration(training.wall_seconds)}"
        yield CardFact(
            "training",
            f"{training.executed_steps:,} of {training.planned_steps:,} steps on "
            f"{training.n_tokens:,} tokens{took}",
        )
        if training.final_loss is not None:
            yield CardFact("final loss", number(training.final_loss))
        last = last_line(store.root / training.training_log) if training.training_log else {}
    yield from _measured(core, last)
    dead = last.get("dead_latents")
    if dead is not None and record.d_sae:
        yield CardFact("dead latents", f"{dead:,.0f} of {record.d_sae:,} at the end of training")


def _measured(core: Reading | None, last: Mapping[str, float]) -> Iterator[CardFact]:
    """Yield L0 and explained variance: of core, or else of the training's last step."""
    for name, metric, logged in (
        ("L0", "core.corrected.l0", "l0"),
        ("explained variance", "core.corrected.explained_variance", "explained_variance"),
    ):
        value = None if core is None else core.values.get(metric)
        if value is not None:
            yield CardFact(name, number(value))
        elif logged in last:
            yield CardFact(name, f"{number(last[logged])} at the end of training")


def _about(
    architecture: str | None, d_sae: int | None, d_in: int | None, hook_name: str | None
) -> str:
    latents = None if d_sae is None else f"{d_sae:,} latents"
    if latents is not None and d_in is not None:
        latents += f" on {d_in:,} dimensions"
    return ", ".join(part for part in (architecture, latents, hook_name) if part)


def read_run(path: Path) -> RunRecord | None:
    """Return a run record; None for one of another version, or that cannot be read.

    A baseline's has no times, which would differ with every renewal.
    """
    try:
        record = load_object(path, with_details=True)
        return RunRecord.model_validate({"started": "", "wall_seconds": 0.0, **record})
    except (ResultError, ValidationError):
        return None


def shown_pages(pages: Iterable[Path]) -> list[Path]:
    """Select the pages that a browser opens; a picture of one has the same content."""
    return [page for page in pages if page.suffix == ".html"]
