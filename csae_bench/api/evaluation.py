"""Results of `csae_bench.evaluate`: outcomes by eval, as a table, and on disk if asked."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from csae_bench.results.merging import overall
from csae_bench.results.schema import Cell, CellStatus, Failure, RunRecord
from csae_bench.results.slots import find_slot
from csae_bench.results.store import Store, write_json
from csae_bench.runs.execute import headline_of
from csae_bench.runs.job import EvalJob, SaeRef

if TYPE_CHECKING:
    import pandas as pd


class ScratchFolder:
    """A temporary folder that is removed when this object is no longer used."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="csae-bench-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class EvalOutcome:
    """Result of one eval of one SAE."""

    name: str
    status: CellStatus
    reasons: tuple[str, ...] = ()
    """Why the status is not `ok`; empty if it is."""
    result: dict[str, Any] | None = None
    """The whole SAE-Bench `eval_result` JSON; None if the status is not `ok`."""
    job: EvalJob | None = None
    artifacts: ScratchFolder | None = None
    """The folder with the eval's pictures and pages, until they are saved."""

    @property
    def metrics(self) -> dict[str, float | None]:
        """Metric -> value, None if undefined; empty if the status is not `ok`.

        A name that two categories have is `<category>.<name>` in the second one.
        """
        metrics: dict[str, float | None] = {}
        for category, values in (self.result or {}).get("eval_result_metrics", {}).items():
            for name, value in values.items():
                metrics[f"{category}.{name}" if name in metrics else name] = value
        return metrics

    @property
    def details(self) -> list[dict[str, Any]]:
        """The result's details: one of each latent, factor, question or dataset."""
        return (self.result or {}).get("eval_result_details", [])

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for a reader of the metrics."""
        unstructured = (self.result or {}).get("eval_result_unstructured") or {}
        return tuple(unstructured.get("warnings", ()))


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation(Mapping[str, EvalOutcome]):
    """Results of one SAE: a mapping from eval to outcome."""

    ref: SaeRef
    model: str
    status: CellStatus
    """`ok`, or `invalid` for an SAE whose numbers would be meaningless."""
    reasons: tuple[str, ...]
    """Why the SAE is invalid."""
    vital_signs: Mapping[str, float | None]
    config: Mapping[str, Any]
    outcomes: dict[str, EvalOutcome] = field(default_factory=dict[str, EvalOutcome])
    validity: Cell

    @override
    def __getitem__(self, name: str) -> EvalOutcome:
        return self.outcomes[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.outcomes)

    @override
    def __len__(self) -> int:
        return len(self.outcomes)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each metric, with columns `sae`, `eval`, `metric`, `value`, `status`.

        An eval without metrics has one row, whose value is missing.
        """
        import pandas as pd

        names: Any = ["sae", "eval", "metric", "value", "status"]
        return pd.DataFrame(self._rows(), columns=names)

    def save(self, results: str | Path) -> list[Path]:
        """Store results and a record, as `csae-bench run` does, and return the results' paths.

        Raises:
            ResultError: the folder cannot be written.
        """
        store, paths = Store(Path(results)), list[Path]()
        cells: dict[str, Cell] = {"validity": self.validity}
        for outcome in self.outcomes.values():
            if outcome.result is None or outcome.job is None:
                reasons = tuple(Failure(kind=outcome.status, message=m) for m in outcome.reasons)
                cells[outcome.name] = Cell(status=outcome.status, reasons=reasons)
                continue
            name, cell, path = _file(outcome, outcome.job, store)
            cells[name] = cell
            paths.append(path)
        self._record(store, cells)
        return paths

    def _record(self, store: Store, cells: dict[str, Cell]) -> None:
        from csae_bench.runs.record import Clock, file_record
        from csae_bench.upstream import versions

        clock = Clock()
        record = RunRecord(
            status=overall(cells),
            release=self.ref.release,
            sae_id=self.ref.sae_id,
            source="memory",
            model=self.model,
            hook_name=self.ref.hook_name,
            weights_hash=self.ref.weights_hash,
            cells=cells,
            config=dict(self.config),
            versions=versions(),
            started=clock.started,
            wall_seconds=clock.seconds(),
        )
        file_record(store, record)

    def _rows(self) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for outcome in self.outcomes.values():
            metrics: Mapping[str, float | None] = outcome.metrics or {"": None}
            rows += [
                (self.ref.sae_id, outcome.name, metric, value, outcome.status)
                for metric, value in metrics.items()
            ]
        return rows

    def _repr_html_(self) -> str:
        return _table([self])


class Evaluations(dict[str, Evaluation]):
    """Results of several SAEs: a mapping from name to `Evaluation`."""

    def to_frame(self) -> pd.DataFrame:
        """Return the rows of all SAEs, see `Evaluation.to_frame`."""
        import pandas as pd

        return pd.concat([one.to_frame() for one in self.values()], ignore_index=True)

    def save(self, results: str | Path) -> list[Path]:
        """Store the results and a record of each SAE."""
        return [path for one in self.values() for path in one.save(results)]

    def _repr_html_(self) -> str:
        return _table(list(self.values()))


def _file(outcome: EvalOutcome, job: EvalJob, store: Store) -> tuple[str, Cell, Path]:
    result = dict(outcome.result or {})
    with store.lock(outcome.name):
        slot = find_slot(store, outcome.name, job.sae.release, job.sae.sae_id, job.conditions)
        unstructured = dict(result["eval_result_unstructured"])
        provenance: dict[str, Any] = {**unstructured["provenance"], "variant": slot.variant}
        provenance["differs"] = dict(slot.differs)
        result["eval_result_unstructured"] = {**unstructured, "provenance": provenance}
        write_json(slot.path, result)
        shutil.rmtree(slot.artifacts, ignore_errors=True)
        made = outcome.artifacts.path / "artifacts" if outcome.artifacts else None
        if made is not None and made.is_dir():
            shutil.copytree(made, slot.artifacts)
    cell = Cell(
        status="ok",
        warnings=outcome.warnings,
        result=store.relative(slot.path),
        key=job.key,
        wall_seconds=provenance["wall_seconds"],
        peak_memory_gib=provenance["peak_memory_gib"],
        summary=headline_of(outcome.name, result),
        differs=dict(slot.differs),
    )
    return slot.cell, cell, slot.path


def _table(saes: list[Evaluation]) -> str:
    """Return an HTML table: one row per SAE and eval, with the main scores."""
    rows: list[str] = []
    for sae in saes:
        for outcome in sae.outcomes.values():
            said = "; ".join(outcome.reasons)
            if outcome.result is not None:
                said = ", ".join(
                    f"{title} {'undefined' if value is None else format(value, '.4g')}"
                    for title, value in headline_of(outcome.name, outcome.result).items()
                )
            cells = (sae.ref.sae_id, outcome.name, outcome.status, said)
            rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
        if sae.status != "ok":
            why = escape("; ".join(sae.reasons))
            rows.append(f"<tr><td>{escape(sae.ref.sae_id)}</td><td colspan=3>{why}</td></tr>")
    head = "".join(f"<th>{name}</th>" for name in ("SAE", "eval", "status", "result"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
