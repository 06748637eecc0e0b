"""The whole flow, from a user's request to results on disk and a record of the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from csae_bench.errors import EXIT_FAILED, EXIT_OK, CsaeBenchError, PreflightError
from csae_bench.executors import Done
from csae_bench.executors.local_settings import LocalSettings
from csae_bench.executors.table import ExecutorSettings
from csae_bench.results.schema import STEPS, Cell, LostWorker, RunRecord
from csae_bench.runs.plan import Plan, SaePlan, plan
from csae_bench.runs.record import Clock, Recorder
from csae_bench.runs.request import RunRequest
from csae_bench.runs.resolving import ResolvedSae


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """Result of a run: record, path, checkpoint and exit code."""

    record: RunRecord | None
    """Record of this run; the file also has the cells of earlier runs of the same SAE. None if
    it ended before the SAE was known."""
    record_path: Path | None
    checkpoint: Path | None
    error: BaseException | None = None
    """Error that ended it early, one of ours or KeyboardInterrupt."""

    @property
    def exit_code(self) -> int:
        """0 if every cell is ok or skipped, else 4, or the error's exit code."""
        if isinstance(self.error, CsaeBenchError):
            return self.error.exit_code
        is_fine = self.error is None and self.record and self.record.status in ("ok", "skipped")
        return EXIT_OK if is_fine else EXIT_FAILED


class Follower(Protocol):
    """Is told how far a run is, in the process that started it."""

    def began(self, n_steps: int) -> None:
        """Take the number of steps of all SAEs, before the first."""
        ...

    def ended(self, n_done: int) -> None:
        """Take the number of steps that have ended, after each; the records have them."""
        ...


def run(request: RunRequest, *, train_only: bool = False) -> RunOutcome:
    """Train the SAE unless it is there, judge it, run its evals and record all of it.

    Raises:
        ConfigError, PreflightError and other UsageErrors: nothing was started; where the SAE
            itself is at fault and has no record yet, a failed one says why.
        RunError: training failed; the record says so too.
    """
    (outcome,) = run_all([request], train_only=train_only)
    if outcome.error is not None:
        raise outcome.error
    return outcome


def run_all(
    requests: Sequence[RunRequest],
    *,
    train_only: bool = False,
    executor: ExecutorSettings | None = None,
    follower: Follower | None = None,
) -> list[RunOutcome]:
    """Do the same for several SAEs; passes of the model that hold for all of them run once.

    What goes wrong with one SAE is in its outcome, and the others are run all the same.

    Args:
        executor: who does the work; None: this process does all of it.
        follower: is told of each step that has ended.

    Raises:
        UsageError, PreflightError: something is wrong with one of them; nothing was started.
    """
    settings = executor or LocalSettings()
    planned = settings.adjusted(plan(settings.prepared(requests)))
    planned = _checked(planned, train_only=train_only)
    chosen = settings.build(planned, train_only=train_only)
    runs = {id(sae.request): _Run(sae) for sae in planned.saes}
    current: _Run | None = None
    ended: set[tuple[int, str]] = set()
    if follower is not None:
        follower.began(sum(_n_steps(sae, train_only=train_only) for sae in planned.saes))
    try:
        for done in chosen.run(planned):
            current = runs[id(done.sae.request)]
            current.add(done)
            ended.add((id(done.sae.request), done.name))
            if follower is not None:
                follower.ended(len(ended))
    except KeyboardInterrupt as error:
        (current or next(iter(runs.values()))).interrupt(error)
        raise
    return [one.outcome() for one in runs.values()]


def _n_steps(sae: SaePlan, *, train_only: bool) -> int:
    """Return the number of cells that an SAE's record will have: its STEPS, and its evals."""
    return 1 if train_only else len(STEPS) + len(sae.evals)


def _checked(planned: Plan, *, train_only: bool) -> Plan:
    for sae in planned.saes:
        if train_only and sae.resolved_sae is not None and sae.training is None:
            raise PreflightError(
                [f"{sae.request.source}: is trained already; there is nothing to train."]
            )
    if planned.problems:
        _record_refusals(planned.saes)
        raise PreflightError(planned.problems)
    return planned


def _record_refusals(saes: Iterable[SaePlan]) -> None:
    for sae in saes:
        if sae.resolved_sae is not None and sae.has_problem_of_the_sae:
            Recorder(sae.request, sae.resolved_sae, Clock()).refused(sae.problems)


@dataclass
class _Run:
    """State of the run of one SAE so far."""

    sae: SaePlan
    clock: Clock = field(default_factory=Clock)
    cells: dict[str, Cell] = field(default_factory=dict[str, Cell])
    weights_hash: str | None = None
    record: RunRecord | None = None
    record_path: Path | None = None
    error: BaseException | None = None
    lost_workers: tuple[LostWorker, ...] = ()

    def add(self, done: Done) -> None:
        """Take a step that has ended, and file the record."""
        self.sae = done.sae
        self.weights_hash = done.weights_hash or self.weights_hash
        self.lost_workers = done.lost_workers or self.lost_workers
        try:
            if done.error is not None:
                raise done.error
            assert done.cell is not None
            self.cells[done.name] = done.cell
            if self.weights_hash is not None:
                recorder = self._recorder(self._resolved_sae())
                self.record, self.record_path = recorder.file(self.cells, self.weights_hash)
        except Exception as error:  # recorded and reported with the SAE; the others run
            self._fail(error)

    def interrupt(self, error: KeyboardInterrupt) -> None:
        """Record that the run was interrupted."""
        self._fail(error)

    def outcome(self) -> RunOutcome:
        resolved_sae = self.sae.resolved_sae
        return RunOutcome(
            record=self.record,
            record_path=self.record_path,
            checkpoint=resolved_sae.checkpoint.resolve() if resolved_sae else None,
            error=self.error,
        )

    def _fail(self, error: BaseException) -> None:
        self.error = error
        if self.sae.resolved_sae is not None:
            recorder = self._recorder(self.sae.resolved_sae)
            self.error = recorder.failed(error, self.cells, self.weights_hash)

    def _recorder(self, resolved_sae: ResolvedSae) -> Recorder:
        return Recorder(self.sae.request, resolved_sae, self.clock, self.lost_workers)

    def _resolved_sae(self) -> ResolvedSae:
        assert self.sae.resolved_sae is not None, "a step was made of an SAE that is known"
        return self.sae.resolved_sae
